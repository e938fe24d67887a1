/** A file to store, as received. */
export interface UploadedFile {
  readonly content: Buffer;
  /** Its name without folder and extension, at most 200 characters; null if none is left. */
  readonly originalFilename: string | null;
}

const LONGEST_FILENAME = /^.{0,200}/u;
/** What forms call a file without a name (https://xhr.spec.whatwg.org/#create-an-entry). */
const UNNAMED = 'blob';

/** @param filename With its extension; a folder before it is removed, and characters that cannot be seen but those that join letters and emoji. */
export function uploadedFile(content: Buffer, filename: string): UploadedFile {
  const stem = filename
    .replace(/^.*[\\/]/s, '')
    .replace(/(?<=.)\.[^.]*$/s, '')
    .replace(/(?![\u200c\u200d])[\p{C}\p{Zl}\p{Zp}]/gu, '')
    .normalize('NFC')
    .trim();
  const name = LONGEST_FILENAME.exec(stem)?.[0] ?? '';
  return { content, originalFilename: name === '' || filename === UNNAMED ? null : name };
}
