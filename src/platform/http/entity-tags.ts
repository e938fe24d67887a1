/** Entity tags of a list; a comma may be inside of one (RFC 9110 §8.8.3). */
const TAGS = /(?:W\/)?"[!#-~\x80-\xff]*"/g;

/** Whether `If-None-Match` lists an entity tag, by weak comparison (RFC 9110 §13.1.2). `*` lists none. */
export function listsEntityTag(header: string | undefined, etag: string): boolean {
  return header?.match(TAGS)?.some((tag) => weak(tag) === weak(etag)) ?? false;
}

const weak = (etag: string): string => etag.replace(/^W\//, '');
