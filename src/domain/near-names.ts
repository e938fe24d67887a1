/** Longer names are never near: every known name has fewer than half as many characters. */
const MAX_LENGTH = 64;
/** In a shorter name one edit reaches too many others: `x` and `y`, `if` and `id`. */
const MIN_LENGTH_FOR_EDITS = 3;

/** An issuer's tokens repeat the same unknown names. */
const MAX_REMEMBERED = 1_000;

/** Finds the known name that was probably intended by an unknown one. */
export class NearNames {
  private readonly known: ReadonlySet<string>;
  private readonly plainNames: readonly (readonly [plain: string, name: string])[];
  private readonly byFoldedName: ReadonlyMap<string, string>;
  private readonly exempt: ReadonlySet<string>;
  private readonly remembered = new Map<string, string | null>();

  /**
   * @param names The known names.
   * @param exempt Names that are never near a known one, although one edit away from it; in any spelling.
   * @param synonyms Other words for known names: the known name by the plain form of the word.
   */
  constructor(
    names: readonly string[],
    exempt: Iterable<string>,
    private readonly synonyms: ReadonlyMap<string, string> = new Map(),
  ) {
    this.known = new Set(names);
    this.plainNames = names.map((name) => [plainName(name), name]);
    // Reversed, so that of two names with the same folded form the first one stays.
    this.byFoldedName = new Map(names.toReversed().map((name) => [fold(name), name]));
    this.exempt = new Set([...exempt].map(plainName));
  }

  /**
   * The known name that differs from this one by at most a single edit (a character added, removed or replaced, or two
   * neighbours swapped), whatever the case, `_`, `-`, spaces and invisible characters, or by the plural; or for which it
   * is another word. Null for no such name, and for a known one.
   */
  find(name: string): string | null {
    const trimmed = name.trim();
    if (trimmed.length > MAX_LENGTH) return null;
    if (this.known.has(trimmed)) return trimmed === name ? null : trimmed;
    let near = this.remembered.get(trimmed);
    if (near !== undefined) return near;
    near = this.search(trimmed);
    if (this.remembered.size >= MAX_REMEMBERED) this.remembered.clear();
    this.remembered.set(trimmed, near);
    return near;
  }

  private search(name: string): string | null {
    const plain = plainName(name);
    if (this.exempt.has(plain)) return null;
    const edited = this.plainNames.find(([known]) => isOneEdit(known, plain));
    return this.byFoldedName.get(fold(name)) ?? edited?.[1] ?? this.synonyms.get(plain) ?? null;
  }
}

/** What is wrong with an unknown member of an object; completes "`member` …". */
export function describeUnknown(name: string, known: NearNames): string {
  const near = known.find(name);
  return near === null ? 'is unknown' : `is unknown; did you mean \`${near}\`?`;
}

/** Whether the optimal string alignment distance of two different names is 1. */
function isOneEdit(one: string, other: string): boolean {
  const { length } = one;
  const longer = Math.max(length, other.length);
  const shorter = Math.min(length, other.length);
  if (shorter < MIN_LENGTH_FOR_EDITS || longer - shorter > 1) return false;
  let start = 0;
  while (start < shorter && one.charCodeAt(start) === other.charCodeAt(start)) start += 1;
  let end = 0;
  while (
    end < shorter - start &&
    one.charCodeAt(length - 1 - end) === other.charCodeAt(other.length - 1 - end)
  ) {
    end += 1;
  }
  const differing = longer - start - end;
  return (
    differing === 1 ||
    (differing === 2 &&
      longer === shorter &&
      one.charAt(start) === other.charAt(start + 1) &&
      one.charAt(start + 1) === other.charAt(start))
  );
}

/** A name without what spellings differ by: case, `_`, `-`, spaces, and characters that cannot be seen. */
export function plainName(name: string): string {
  return name.toLowerCase().replaceAll(/[\s\p{C}_-]/gu, '');
}

/** A plain name, from 4 letters on without the plural's ending. */
function fold(name: string): string {
  return plainName(name)
    .replace(/(?<=..)ies$/, 'y')
    .replace(/(?<=...)s$/, '');
}
