/**
 * `Content-Disposition` of `fl_attachment[:<name>]`: the name, or the public id's last folder's, with the extension
 * of what is delivered (https://cloudinary.com/documentation/transformation_reference#fl_attachment). RFC 6266:
 * ASCII for every client, and UTF-8 where the name needs it.
 * @param argument What follows the colon, percent-encoded; '' without one.
 */
export function contentDisposition(argument: string, publicId: string, extension: string): string {
  const stem = argument === '' ? (publicId.split('/').at(-1) ?? publicId) : decodeURIComponent(argument);
  const name = `${stem}.${extension}`;
  // Quotes, backslashes and everything unprintable would end the header's value, or fool what shows it.
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const extended = encodeURIComponent(name).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16)}`,
  );
  return ascii === name
    ? `attachment; filename="${ascii}"`
    : `attachment; filename="${ascii}"; filename*=UTF-8''${extended}`;
}
