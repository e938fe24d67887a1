import { readsAsComponent } from './component-folder.js';

const MAX_LENGTH = 255;

/**
 * Zero-width joiners are part of emoji and of Persian; other invisible characters only make different names look alike.
 */
const INVISIBLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}]/u;

const SCHEMES = /^(?:https?|ftp|file|data|javascript|blob|s3|gs):/i;
const TYPES = /^(?:upload|private|authenticated|fetch|text|image|video|raw):/i;

/**
 * Finds why a public id cannot be registered. Its bytes are its identity, as in Cloudinary: it is not normalized.
 * Beside Cloudinary's own rules (no `? & # \ % < > +`, no white space at the ends, no folder such as `v12`) this
 * refuses ids that would be read as another part of the URL: a signature, a transformation, a URL.
 * @returns Completes "The public id …"; null if it can be registered.
 */
export function findPublicIdFault(publicId: string): string | null {
  if (publicId === '' || publicId.length > MAX_LENGTH) return `must have 1 to ${MAX_LENGTH} characters`;
  const [invisible] = INVISIBLE.exec(publicId) ?? [];
  if (invisible !== undefined)
    return `must not contain the control or invisible character ${nameOf(invisible)}`;
  if (/[?&#\\%<>+]/.test(publicId)) return 'must contain none of ? & # \\ % < > +';
  if (publicId !== publicId.trim()) return 'must not begin or end with white space';
  const [scheme] = SCHEMES.exec(publicId) ?? [];
  if (scheme !== undefined) return `must not begin with \`${scheme}\`: it is a public id, not a URL`;
  const [type] = TYPES.exec(publicId) ?? [];
  if (type !== undefined) return `must not begin with the type \`${type}\`: \`delivery_type\` sets it`;
  const segments = publicId.split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    return 'must have no empty, "." or ".." segment';
  }
  if (segments.some((segment) => /^s--.*--$/.test(segment)))
    return 'must have no segment with the form of a signature (`s--…--`)';
  const folders = segments.slice(0, -1);
  const version = folders.find((folder) => /^v\d+$/.test(folder));
  if (version !== undefined) return `must have no folder with the form of a version: \`${version}\``;
  const [first, ...rest] = folders;
  if (first !== undefined && readsAsComponent(first)) {
    const other = [...rest, segments.at(-1)].join('/');
    return `must not begin with the folder \`${first}\`, which Cloudinary reads as a transformation: the signature would also open \`${other}\``;
  }
  return null;
}

const nameOf = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
