import type { LayerAsset } from './asset-layer.js';

/**
 * The formats of a text's own font file. Source: Cloudinary, "Custom fonts": uploaded as a raw, authenticated asset, and
 * named by its whole public id.
 */
const FONT_FILE = /\.(?:ttf|otf|woff2)$/i;

/** Whether a public id is a font file's. */
export const isFont = (publicId: string): boolean => FONT_FILE.test(publicId);

/** Describes a row that a text can have as its font. */
export const FONT_ALLOWED =
  'a row of type `authenticated` whose public id ends in `.ttf`, `.otf` or `.woff2`, has no `:`, `%`, `$`, control ' +
  'character or empty folder, and no segment of only digits between two `_`';

/**
 * A font file as written before the `_` and size of a text layer, each `/` as `:` (`fonts:brand.ttf`), or undefined if no
 * spelling refers to exactly this asset. Characters are encoded as in the public id of a layer.
 */
export function writeFont({ deliveryType, publicId }: LayerAsset): string | undefined {
  const folders = publicId.split('/');
  if (
    !isFont(publicId) ||
    deliveryType !== 'authenticated' ||
    folders.includes('') ||
    /[:%$]|\p{Cc}|\p{Cs}/u.test(publicId) ||
    // It would be read as the font's size.
    /_\d+(?=_)/.test(publicId)
  ) {
    return undefined;
  }
  return folders.map((folder) => encodeURIComponent(folder.replace(/,/g, '%2C'))).join(':');
}

/** The reverse of `writeFont`; undefined for what it does not write. */
export function readFont(written: string): LayerAsset | undefined {
  try {
    const publicId = written
      .split(':')
      .map((folder) => decodeURIComponent(folder).replaceAll('%2C', ','))
      .join('/');
    const asset: LayerAsset = { deliveryType: 'authenticated', publicId };
    return writeFont(asset) === written ? asset : undefined;
  } catch {
    return undefined;
  }
}
