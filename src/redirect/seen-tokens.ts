/** Pairs of slots: one slot would let two tokens displace each other at each request. */
const PAIRS = 1 << 15;
/** Characters taken from the signature. It is as uniform as a hash. */
const MARK_LENGTH = 12;

/**
 * A fixed-size lossy set of tokens, in 256 KiB: wrong results cost time, never correctness.
 */
export class SeenTokens {
  private readonly marks = new Uint32Array(2 * PAIRS);

  has(token: string): boolean {
    const mark = markOf(token);
    const first = pairOf(mark);
    return this.marks[first] === mark || this.marks[first + 1] === mark;
  }

  /** Displaces the older mark of the pair. */
  add(token: string): void {
    const mark = markOf(token);
    const first = pairOf(mark);
    this.marks[first + 1] = this.marks[first] ?? 0;
    this.marks[first] = mark;
  }
}

function markOf(token: string): number {
  let mark = 0;
  for (let at = Math.max(0, token.length - MARK_LENGTH); at < token.length; at += 1) {
    mark = (Math.imul(mark, 31) + token.charCodeAt(at)) | 0;
  }
  return mark >>> 0;
}

function pairOf(mark: number): number {
  return 2 * ((mark ^ (mark >>> 16)) & (PAIRS - 1));
}
