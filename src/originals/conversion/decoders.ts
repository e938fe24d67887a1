import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { decodeBitmap, readBitmapHeader } from './bitmap.js';
import { readBoundedModule } from './bounded-wasm.js';
import { type Converted, ConversionError, type ConversionTask, type ConvertedFormat } from './conversion.js';

const require = createRequire(import.meta.url);
const { resolve } = require;

type Pixels = Partial<Omit<Converted, 'content'>> &
  Pick<Converted, 'width' | 'height'> & { readonly content: Uint8Array | Uint8ClampedArray };
type Decoder = (task: ConversionTask) => Promise<Pixels> | Pixels;

/** Decoders by format. Each runs once in a thread of its own. */
export const DECODERS: Readonly<Record<ConvertedFormat, Decoder>> = {
  svg: decodeSvg,
  bmp: decodeBmp,
  ico: decodeIco,
  heic: decodeHeic,
  jxl: decodeJxl,
  pdf: decodePdf,
};

/** The package that a format needs. */
export const PACKAGES: Readonly<Partial<Record<ConvertedFormat, string>>> = {
  svg: '@resvg/resvg-wasm',
  heic: 'libheif-js',
  jxl: 'jxl-oxide-wasm',
  pdf: '@hyzyla/pdfium',
};

/** Fonts of texts: those of the system would differ from machine to machine. */
const FONTS = ['DejaVuSans', 'DejaVuSans-Bold', 'DejaVuSerif', 'DejaVuSansMono'];

/** A reference to another file, or an image of a format that resvg lacks. It is left out; the response reports it. */
const LEFT_OUT =
  /<(?:\w+:)?(?:image|use|feImage)\b[^<>]*\bhref\s*=\s*["']\s*(?!#|data:image\/(?:png|jpe?g|gif|webp|svg))/i;
/** A letter of a script that the fonts lack. */
const WITHOUT_GLYPH =
  /(?![\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Armenian}\p{Script=Georgian}\p{Script=Hebrew}\p{Script=Arabic}])\p{L}|\p{Emoji_Presentation}/u;

/** resvg runs no scripts, and as a WebAssembly module it has neither files nor a network. */
async function decodeSvg({ content, maxPixels }: ConversionTask): Promise<Pixels> {
  const { initWasm, Resvg } = await import('@resvg/resvg-wasm');
  await initWasm(readBoundedModule(resolve('@resvg/resvg-wasm/index_bg.wasm')));
  const fonts = join(dirname(resolve('dejavu-fonts-ttf/package.json')), 'ttf');
  const svg = new Resvg(content, {
    font: {
      fontBuffers: FONTS.map((font) => readFileSync(join(fonts, `${font}.ttf`))),
      defaultFontFamily: 'DejaVu Sans',
      sansSerifFamily: 'DejaVu Sans',
      serifFamily: 'DejaVu Serif',
      monospaceFamily: 'DejaVu Sans Mono',
    },
  });
  checkPixels(svg.width, svg.height, maxPixels);
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString();
  const missing = [
    ...(LEFT_OUT.test(text) ? ['external images'] : []),
    ...(WITHOUT_GLYPH.test(text) ? ['characters without a glyph'] : []),
  ];
  const approximation = missing.length > 0 ? `SVG: ${missing.join(' and ')} are left out` : undefined;
  const image = svg.render();
  return {
    ...{ width: image.width, height: image.height, approximation },
    content: unpremultiplied(image.pixels),
  };
}

function unpremultiplied(pixels: Uint8Array): Uint8Array {
  for (let at = 0; at < pixels.length; at += 4) {
    const alpha = pixels[at + 3] ?? 0;
    if (alpha === 0 || alpha === 255) continue;
    for (let channel = at; channel < at + 3; channel += 1) {
      pixels[channel] = Math.min(255, Math.round(((pixels[channel] ?? 0) * 255) / alpha));
    }
  }
  return pixels;
}

/** Where the header of a BMP file has the offset of its pixels, and where the bitmap's header starts. */
const BMP = { pixels: 10, header: 14 };

function decodeBmp({ content, maxPixels }: ConversionTask): Pixels {
  const header = readBitmapHeader(content, BMP.header, false);
  checkPixels(header.width, header.height, maxPixels);
  const pixels = Buffer.from(content.buffer, content.byteOffset, content.byteLength).readUInt32LE(BMP.pixels);
  return decodeBitmap(content, header, pixels, false);
}

/** Bytes of the directory's head, and of each entry. */
const ICO = { head: 6, entry: 16 };
const PNG = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

/** The largest image, and of equal ones that of most bits, as browsers choose it. */
function decodeIco({ content, maxPixels }: ConversionTask): Pixels {
  const file = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const [first, ...others] = Array.from({ length: file.readUInt16LE(4) }, (_, index) =>
    readIcon(file, index),
  );
  if (first === undefined) throw new ConversionError('damaged', 'ICO without an image');
  const largest = others.reduce((best, each) => (weight(each) > weight(best) ? each : best), first);
  checkPixels(largest.width, largest.height, maxPixels);
  return largest.decode();
}

interface Icon {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly decode: () => Pixels;
}

const weight = ({ width, height, bits }: Icon): number => width * height + bits / 64;

/** @throws RangeError if it is not within the file. */
function readIcon(file: Buffer, index: number): Icon {
  const entry = ICO.head + index * ICO.entry;
  const [size, start] = [file.readUInt32LE(entry + 8), file.readUInt32LE(entry + 12)];
  if (start + size > file.length) throw new RangeError('An image of the ICO is truncated');
  const image = file.subarray(start, start + size);
  if (image.subarray(0, PNG.length).equals(PNG)) {
    // The header's (PNG, third edition, §11.2.1). The whole of it is decoded by libvips.
    const [width, height] = [image.readUInt32BE(16), image.readUInt32BE(20)];
    return { width, height, bits: 32, decode: () => ({ width, height, content: image, isPng: true }) };
  }
  const header = readBitmapHeader(image, 0, true);
  return { ...header, decode: () => decodeBitmap(image, header, header.end, true) };
}

/** The decoder needs about 60 bytes for each. */
const MAX_JXL_PIXELS = 16_000_000;

async function decodeJxl({ content, maxPixels }: ConversionTask): Promise<Pixels> {
  const { initSync, JxlImage } = await import('jxl-oxide-wasm');
  initSync({
    module: readBoundedModule(
      join(dirname(resolve('jxl-oxide-wasm/package.json')), 'jxl_oxide_wasm_bg.wasm'),
    ),
  });
  const image = new JxlImage();
  image.forceSrgb = true;
  image.feedBytes(content);
  const { width, height } = image.tryInit() ? image : {};
  if (width === undefined || height === undefined || !image.loaded) {
    throw new ConversionError('damaged', 'JPEG XL');
  }
  checkPixels(width, height, Math.min(maxPixels, MAX_JXL_PIXELS));
  const approximation = image.animated === true ? 'animated JPEG XL: its first frame' : undefined;
  return { width, height, approximation, content: image.render(0).encodeToPng(), isPng: true };
}

/** Points per inch. */
const POINTS = 72;

async function decodePdf({ content, page, density, maxPixels }: ConversionTask): Promise<Pixels> {
  const { PDFiumLibrary } = await import('@hyzyla/pdfium');
  const library = await PDFiumLibrary.init({
    wasmBinary: readBoundedModule(resolve('@hyzyla/pdfium/pdfium.wasm')).buffer,
  });
  const document = await library.loadDocument(content).catch((error: unknown) => {
    throw isPasswordError(error) ? new ConversionError('unsupported', 'PDF with a password') : error;
  });
  const pageCount = document.getPageCount();
  if (page >= pageCount) {
    throw new ConversionError('page', `Page ${page + 1} does not exist: the image has ${pageCount}`);
  }
  const sheet = document.getPage(page);
  const { originalWidth, originalHeight } = sheet.getOriginalSize();
  // Of a page that cannot be loaded.
  if (originalWidth <= 0 || originalHeight <= 0) throw new ConversionError('damaged', 'PDF');
  const pixels = (points: number): number => Math.max(1, Math.round((points * density) / POINTS));
  const size = { width: pixels(originalWidth), height: pixels(originalHeight) };
  checkPixels(size.width, size.height, maxPixels);
  const { width, height, data } = await sheet.render({ ...size, scale: 1 });
  return { width, height, pageCount, content: data };
}

/** By its message: the library has no codes. A message that changes only makes the refusal less exact. */
const isPasswordError = (error: unknown): boolean =>
  error instanceof Error && /password|security/i.test(error.message);

/** The part of libheif that is used; the package has no types for it. */
interface HeifLibrary {
  readonly HeifDecoder: new () => { decode(content: Uint8Array): readonly HeifImage[] };
}

interface HeifImage {
  is_primary(): boolean;
  get_width(): number;
  get_height(): number;
  display(
    target: { readonly data: Uint8ClampedArray; readonly width: number; readonly height: number },
    done: (result: object | null) => void,
  ): void;
}

/** HEVC is covered by patents, so its decoder is installed by the operator. */
async function decodeHeic({ content, maxPixels }: ConversionTask): Promise<Pixels> {
  const create = require('libheif-js/libheif-wasm/libheif.js') as (options: {
    readonly wasmBinary: Uint8Array;
  }) => HeifLibrary | Promise<HeifLibrary>;
  const wasmBinary = readBoundedModule(resolve('libheif-js/libheif-wasm/libheif.wasm'));
  const { HeifDecoder } = await create({ wasmBinary });
  const images = new HeifDecoder().decode(content);
  const image = images.find((each) => each.is_primary()) ?? images[0];
  if (image === undefined) throw new ConversionError('damaged', 'HEIC');
  const [width, height] = [image.get_width(), image.get_height()];
  checkPixels(width, height, maxPixels);
  const data = new Uint8ClampedArray(width * height * 4);
  await new Promise<void>((done, reject) => {
    image.display({ data, width, height }, (result) => {
      if (result === null) reject(new ConversionError('damaged', 'HEIC'));
      else done();
    });
  });
  return { width, height, content: data };
}

function checkPixels(width: number, height: number, maxPixels: number): void {
  if (!(width >= 1 && height >= 1)) throw new ConversionError('damaged', `${width} × ${height} pixels`);
  if (width * height <= maxPixels) return;
  throw new ConversionError(
    'pixels',
    `The image has ${width} × ${height} pixels; ${maxPixels / 1e6} million are allowed`,
  );
}
