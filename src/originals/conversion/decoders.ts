import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
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
export const PACKAGES: Readonly<Record<ConvertedFormat, string>> = {
  svg: '@resvg/resvg-wasm',
  bmp: 'decode-bmp',
  ico: 'decode-ico',
  heic: 'libheif-js',
  jxl: 'jxl-oxide-wasm',
  pdf: '@hyzyla/pdfium',
};

/** Fonts of texts: those of the system would differ from machine to machine. */
const FONTS = ['DejaVuSans', 'DejaVuSans-Bold', 'DejaVuSerif', 'DejaVuSansMono'];

/** A reference to another file. It is never followed; the response reports it. */
const EXTERNAL = /<(?:\w+:)?(?:image|use|feImage)\b[^<>]*\bhref\s*=\s*["']\s*(?!#|data:)/i;

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
  const isPartial = EXTERNAL.test(Buffer.from(content).toString('latin1'));
  const approximation = isPartial ? 'SVG: external images are left out' : undefined;
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

async function decodeBmp({ content, maxPixels }: ConversionTask): Promise<Pixels> {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const [headerSize, compression, height] = [
    view.getUint32(14, true),
    view.getUint32(30, true),
    view.getInt32(22, true),
  ];
  if (headerSize < 40) throw new ConversionError('unsupported', 'BMP of OS/2');
  // 3: masks, which are those of BGRA in almost every file of 32 bits.
  const isPlain = compression === 0 || (compression === 3 && view.getUint16(28, true) === 32);
  if (!isPlain) throw new ConversionError('unsupported', 'compressed BMP');
  if (height < 0) throw new ConversionError('unsupported', 'BMP with its first row on top');
  checkPixels(view.getUint32(18, true), height, maxPixels);
  const { default: decode } = await import('decode-bmp');
  const { width, data } = decode(placedAfterHeader(content, view));
  // Without masks the fourth byte has no meaning.
  if (compression === 0) for (let at = 3; at < data.length; at += 4) data[at] = 255;
  return { width, height, content: data };
}

/** The decoder expects palette and pixels behind the header; other data may precede the pixels. */
function placedAfterHeader(content: Uint8Array, view: DataView): Uint8Array {
  const [offset, headerEnd] = [view.getUint32(10, true), 14 + view.getUint32(14, true)];
  const bits = view.getUint16(28, true);
  const colors = bits > 8 ? 0 : view.getUint32(46, true) || 2 ** bits;
  const header = Buffer.from(content.subarray(0, headerEnd + colors * 4));
  // A palette that a file of true colors suggests is not used.
  if (bits > 8) header.writeUInt32LE(0, 46);
  return Buffer.concat([header, content.subarray(offset)]);
}

/** The largest image, as browsers choose it. */
async function decodeIco({ content, maxPixels }: ConversionTask): Promise<Pixels> {
  const { default: decode } = await import('decode-ico');
  const [largest] = decode(content).sort((one, two) => two.width * two.height - one.width * one.height);
  if (largest === undefined) throw new ConversionError('damaged', 'ICO without an image');
  const { width, height, type } = largest;
  checkPixels(width, height, maxPixels);
  return { width, height, content: new Uint8Array(largest.data), isPng: type === 'png' };
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
  const document = await library.loadDocument(content);
  const pageCount = document.getPageCount();
  if (page >= pageCount) {
    throw new ConversionError('page', `Page ${page + 1} does not exist: the image has ${pageCount}`);
  }
  const sheet = document.getPage(page);
  const { originalWidth, originalHeight } = sheet.getOriginalSize();
  const scale = density / POINTS;
  checkPixels(Math.ceil(originalWidth * scale), Math.ceil(originalHeight * scale), maxPixels);
  const { width, height, data } = await sheet.render({ scale });
  return { width, height, pageCount, content: data };
}

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
  if (width * height <= maxPixels) return;
  throw new ConversionError(
    'pixels',
    `The image has ${width} × ${height} pixels; ${maxPixels / 1e6} million are allowed`,
  );
}
