const MAX_LENGTH = 255;

/** Short codes of Cloudinary's transformation parameters: what a URL's path segment may be taken for. */
const TRANSFORMATION_SEGMENT =
  /^(a|ac|af|ar|b|bl|bo|br|c|co|cs|d|dl|dn|dpr|du|e|eo|f|fl|fn|fps|g|h|if|ki|l|o|p|pg|q|r|so|sp|t|u|vc|vs|w|x|y|z)_|^\$/;

/**
 * Tells why a public id cannot be registered, or null when it can. Beside Cloudinary's own rules (no `? & # \ % < > +`,
 * no white space at the ends) it refuses what would be read as another part of the URL: a resource type with a
 * version (the SDK takes `image/upload/v9/x` apart), a version, a transformation, a URL.
 */
export function findPublicIdFault(publicId: string): string | null {
  if (publicId === '' || publicId.length > MAX_LENGTH) return `must have 1 to ${MAX_LENGTH} characters`;
  if (!publicId.isWellFormed() || /\p{C}/u.test(publicId))
    return 'must hold no control or unassigned characters';
  if (publicId !== publicId.normalize('NFC')) return 'must be in Unicode normalization form C';
  if (/[?&#\\%<>+]/.test(publicId)) return 'must hold none of ? & # \\ % < > +';
  if (publicId !== publicId.trim()) return 'must not begin or end with white space';
  if (/^[a-z][a-z0-9+.-]*:/i.test(publicId)) return 'must not look like a URL or a typed id';
  const segments = publicId.split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    return 'must have no empty, "." or ".." segment';
  }
  if (segments.some((segment) => /^v\d+$/.test(segment)))
    return 'must have no segment that reads as a version';
  if (segments.some((segment) => /^s--.*--$/.test(segment)))
    return 'must have no segment that reads as a signature';
  const folders = segments.slice(0, -1);
  if (folders.some((segment) => TRANSFORMATION_SEGMENT.test(segment) || segment.includes(','))) {
    return 'must have no folder that reads as a transformation';
  }
  return null;
}
