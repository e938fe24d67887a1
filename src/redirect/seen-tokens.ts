const SLOTS = 1 << 16;
/** Characters taken from the signature. It is as uniform as a hash. */
const MARK_LENGTH = 12;

/**
 * A fixed-size lossy set of tokens, in 256 KiB: wrong results cost time, never correctness.
 */
export class SeenTokens {
  private readonly marks = new Uint32Array(SLOTS);

  has(token: string): boolean {
    const mark = markOf(token);
    return this.marks[slotOf(mark)] === mark;
  }

  add(token: string): void {
    const mark = markOf(token);
    this.marks[slotOf(mark)] = mark;
  }
}

function markOf(token: string): number {
  let mark = 0;
  for (let at = Math.max(0, token.length - MARK_LENGTH); at < token.length; at += 1) {
    mark = (Math.imul(mark, 31) + token.charCodeAt(at)) | 0;
  }
  return mark >>> 0;
}

function slotOf(mark: number): number {
  return (mark ^ (mark >>> 16)) & (SLOTS - 1);
}
