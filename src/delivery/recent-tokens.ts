const PLACES = 1 << 16;
/** Characters that are looked at: they are of the signature, which is as good as a hash. */
const LOOKED_AT = 12;

/**
 * Tells which tokens were accepted lately, in 256 KiB however many there are. It may err, rarely, and forgets: for what
 * it is asked, that costs a little time.
 */
export class RecentTokens {
  private readonly marks = new Uint32Array(PLACES);

  has(token: string): boolean {
    const mark = markOf(token);
    return this.marks[placeOf(mark)] === mark;
  }

  add(token: string): void {
    const mark = markOf(token);
    this.marks[placeOf(mark)] = mark;
  }
}

function markOf(token: string): number {
  let mark = 0;
  for (let at = Math.max(0, token.length - LOOKED_AT); at < token.length; at += 1) {
    mark = (Math.imul(mark, 31) + token.charCodeAt(at)) | 0;
  }
  return mark >>> 0;
}

function placeOf(mark: number): number {
  return (mark ^ (mark >>> 16)) & (PLACES - 1);
}
