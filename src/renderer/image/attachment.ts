/**
 * `Content-Disposition` of `fl_attachment[:<name>]`: the name, or else the original's, with the delivered format's
 * extension (https://cloudinary.com/documentation/transformation_reference#fl_attachment). RFC 6266: ASCII for
 * every client, and UTF-8 if the name needs it.
 * @param argument The text after the colon, percent-encoded; '' without one.
 * @param original The uploaded file's name without its extension or, if that is unknown, the public id, of which the
 *   last segment counts.
 */
export function contentDisposition(argument: string, original: string, extension: string): string {
  const stem = argument === '' ? (original.split('/').at(-1) ?? original) : decodeURIComponent(argument);
  const name = `${stem}.${extension}`;
  // Quotes, backslashes and unprintable characters could end the header's value or manipulate its reader.
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const extended = encodeURIComponent(name).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16)}`,
  );
  return ascii === name
    ? `attachment; filename="${ascii}"`
    : `attachment; filename="${ascii}"; filename*=UTF-8''${extended}`;
}
