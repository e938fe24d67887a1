const PLACES = 1 << 16;
/** Characters that are looked at: a token ends with its signature, which is as good as a hash. */
const LOOKED_AT = 12;

/**
 * Tells whether a name was asked for lately, in 256 KiB however many there are. It may err, rarely: for what it is
 * asked, that costs a little time.
 */
export class RecentNames {
  private readonly marks = new Uint32Array(PLACES);

  /** Whether the name was asked for before; from now on it was. */
  has(name: string): boolean {
    let mark = name.length;
    for (let at = Math.max(0, name.length - LOOKED_AT); at < name.length; at += 1) {
      mark = (Math.imul(mark, 31) + name.charCodeAt(at)) | 0;
    }
    mark >>>= 0;
    const place = (mark ^ (mark >>> 16)) & (PLACES - 1);
    const known = this.marks[place] === mark;
    this.marks[place] = mark;
    return known;
  }
}
