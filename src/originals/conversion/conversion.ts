/** Formats that libvips, as sharp builds it, does not read, by Cloudinary's names. SVG: it cannot be interrupted there. */
export type ConvertedFormat = 'svg' | 'bmp' | 'ico' | 'heic' | 'jxl' | 'pdf';

/** Dots per inch of a PDF's pages, as at Cloudinary (transformation_reference#dn_density). */
export const DEFAULT_DENSITY = 150;

/** A file to convert to pixels. */
export interface ConversionTask {
  readonly format: ConvertedFormat;
  readonly content: Uint8Array;
  /** Of a PDF, 0-based. */
  readonly page: number;
  /** Of a PDF: dots per inch. */
  readonly density: number;
  readonly maxPixels: number;
}

/** Pixels that libvips reads: straight RGBA, or a PNG. */
export interface Converted {
  readonly isPng: boolean;
  readonly content: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly pageCount: number;
  /** How the pixels differ from the file, if they do. */
  readonly approximation: string | undefined;
}

/** Why a file was not converted. */
export interface ConversionFailure {
  readonly reason: 'pixels' | 'damaged' | 'unsupported' | 'page';
  readonly detail: string;
}

/** The converter's expected errors; any other error of a decoder means a damaged file. */
export class ConversionError extends Error implements ConversionFailure {
  constructor(
    readonly reason: ConversionFailure['reason'],
    readonly detail: string,
  ) {
    super(detail);
  }
}
