import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** What a client's request changes about the image, reduced to few values: each is another image to derive and cache. */
export interface Variant {
  /** Headers of the request to the account. */
  readonly headers: Readonly<Record<string, string>>;
  /** Request headers on which the image depends: a part of `Vary`. */
  readonly vary: string;
}

/** The variant of the last client, for further views of the same client. */
export interface RememberedVariant extends Variant {
  /** Of `cacheKeyOf`. */
  readonly key: string;
  /** The headers as they were received. */
  readonly received: Readonly<Pick<IncomingHttpHeaders, (typeof SELECTORS)[number]>>;
}

const SELECTORS = ['accept', 'sec-ch-dpr', 'sec-ch-width'] as const;
/** Characters of each header that are remembered: the cache of redirects counts their bytes. */
const MAX_REMEMBERED = 500;

/** Formats that `f_auto` selects by name; a client with AVIF has WebP too. */
const ACCEPT_CLASSES = [
  ['image/avif', 'image/avif,image/webp,*/*'],
  ['image/webp', 'image/webp,*/*'],
] as const;
const ANY = '*/*';

const DPR_AUTO = /[,/](?:dpr|w)_auto(?=[:,/])/;
const WIDTH_AUTO = /[,/]w_auto(?=[:,/])/;
/** In steps of a half. */
const MAX_DPR = 5;
/** Cloudinary's own steps of `w_auto`. */
const WIDTH_STEP = 100;
const MAX_WIDTH = 5_000;

/**
 * The variant of a request, and the name of its image in the cache. Both cost more than the rest of a cached view.
 * @param image Keeps the last one, unless its headers are long.
 */
export function rememberedVariantOf(
  image: { readonly target: string; variant: RememberedVariant | null },
  headers: IncomingHttpHeaders,
): RememberedVariant {
  const last = image.variant;
  if (last !== null && SELECTORS.every((name) => last.received[name] === headers[name])) return last;
  const found = variantOf(image.target, headers);
  const { accept, 'sec-ch-dpr': dpr, 'sec-ch-width': width } = headers;
  const variant = {
    ...found,
    key: cacheKeyOf(image.target, found),
    received: { accept, 'sec-ch-dpr': dpr, 'sec-ch-width': width },
  };
  if (SELECTORS.every((name) => (headers[name]?.length ?? 0) <= MAX_REMEMBERED)) image.variant = variant;
  return variant;
}

/** @param url The signed URL, or its path. */
export function variantOf(url: string, headers: IncomingHttpHeaders): Variant {
  const dpr = DPR_AUTO.test(url) ? readDpr(headers['sec-ch-dpr']) : null;
  const width = WIDTH_AUTO.test(url) ? readWidth(headers['sec-ch-width']) : null;
  return {
    headers: {
      accept: acceptClass(headers.accept),
      ...(dpr === null ? {} : { 'sec-ch-dpr': dpr }),
      ...(width === null ? {} : { 'sec-ch-width': width }),
    },
    vary: [
      'Accept',
      ...(DPR_AUTO.test(url) ? ['Sec-CH-DPR'] : []),
      ...(WIDTH_AUTO.test(url) ? ['Sec-CH-Width'] : []),
    ].join(', '),
  };
}

/**
 * The name of an image in the cache. A `__cld_token__` is not part of it: it says until when a URL opens the image, not
 * which image it is.
 */
export function cacheKeyOf(url: string, { headers }: Variant): string {
  const [address = ''] = url.split('?', 1);
  return createHash('sha256')
    .update(JSON.stringify([address, headers]))
    .digest('hex');
}

function acceptClass(accept = ''): string {
  const types = accept
    .toLowerCase()
    .split(',')
    .filter((type) => !/;\s*q=0(?:\.0*)?\s*(?:;|$)/.test(type))
    .map((type) => type.split(';', 1)[0]?.trim());
  return ACCEPT_CLASSES.find(([name]) => types.includes(name))?.[1] ?? ANY;
}

function readDpr(header: string | string[] | undefined): string | null {
  const value = readNumber(header);
  return value === null ? null : String(Math.min(MAX_DPR, Math.max(1, Math.ceil(value * 2) / 2)));
}

function readWidth(header: string | string[] | undefined): string | null {
  const value = readNumber(header);
  return value === null ? null : String(Math.min(MAX_WIDTH, Math.ceil(value / WIDTH_STEP) * WIDTH_STEP));
}

/** A positive number; null for any other text. */
function readNumber(header: string | string[] | undefined): number | null {
  const value = typeof header === 'string' && /^\d{1,6}(?:\.\d{1,6})?$/.test(header) ? Number(header) : 0;
  return value > 0 ? value : null;
}
