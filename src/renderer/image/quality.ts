/** Quality of an encoder. */
export interface Quality {
  /** 1 to 100, on JPEG's scale. */
  readonly level: number;
  /** 4:2:0 halves the resolution of colour; 4:4:4 keeps it. */
  readonly chroma: '420' | '444';
  /** Whether it is one of the automatic words. */
  readonly isAutomatic: boolean;
}

/** Cloudinary's default quality. */
const DEFAULT_LEVEL = 80;

/** Cloudinary analyses each image's content; these are the middle of its results. */
const AUTOMATIC: ReadonlyMap<string, number> = new Map([
  ['best', 90],
  ['good', 80],
  ['eco', 65],
  ['low', 45],
]);
/** Added by `:sensitive`, which keeps finer detail. */
const SENSITIVE = 5;

/** Reads `q`: a number with a chroma subsampling, or one of the automatic words (`q_auto` is `good`). */
export function readQuality(value: string | undefined): Quality {
  const [first = '', ...rest] = value?.split(':') ?? [];
  if (first === '') return { level: DEFAULT_LEVEL, chroma: '420', isAutomatic: false };
  if (first !== 'auto') {
    return { level: Number(first), chroma: rest[0] === '444' ? '444' : '420', isAutomatic: false };
  }
  const word = rest.find((each) => AUTOMATIC.has(each)) ?? 'good';
  const isSensitive = rest.includes('sensitive');
  return {
    level: (AUTOMATIC.get(word) ?? DEFAULT_LEVEL) + (isSensitive ? SENSITIVE : 0),
    chroma: isSensitive ? '444' : '420',
    isAutomatic: true,
  };
}
