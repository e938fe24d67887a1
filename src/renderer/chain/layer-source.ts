import { LAYER_EXTENSION, type LayerAsset, writeAssetLayer } from '../../transformations/asset-layer.js';
import { readFont } from '../../transformations/font-file.js';
import { writeTextLayer } from '../../transformations/text-layer.js';

/** The content of a layer: an original, or a text. */
export type Layer = { readonly under: boolean } & (
  { readonly kind: 'asset'; readonly asset: LayerAsset } | { readonly kind: 'text'; readonly text: string }
);

const TYPES = ['upload', 'private', 'authenticated'] as const;

/**
 * The asset after `l_`, `u_` or `d_`: `private:folder:name`, percent-encoded; an extension, as in `d_avatar.png`, is a
 * format and not part of the id. Undefined for what the mapper never writes: another kind of layer (`fetch:…`), an
 * empty folder, a control character.
 */
export function readAssetLayer(value: string): LayerAsset | undefined {
  const [first = '', ...rest] = value.split(':');
  const type = rest.length > 0 ? TYPES.find((each) => each === first) : undefined;
  let folders: readonly string[];
  try {
    // A comma is encoded twice, because Cloudinary decodes a chain before it splits it.
    folders = (type === undefined ? [first, ...rest] : rest).map((folder) =>
      decodeURIComponent(folder).replaceAll('%2C', ','),
    );
  } catch {
    return undefined;
  }
  // A slash is written `:`; an encoded one would name a folder that was not signed as such.
  if (folders.some((folder) => folder.includes('/') || folder === '.' || folder === '..')) return undefined;
  const asset: LayerAsset = {
    deliveryType: type ?? 'upload',
    publicId: folders.join('/').replace(LAYER_EXTENSION, ''),
  };
  return writeAssetLayer(asset) === undefined ? undefined : asset;
}

const IN_FONT_FILE = /^text:(.+\.(?:ttf|otf|woff2))(_[^:]*:[^:]*)$/i;

/** A text in a font file: `text:fonts:Brand-Serif.ttf_40_bold:Hi` becomes one in a font of its name. */
function readFontLayer(value: string, under: boolean): Layer | undefined {
  const [, written = '', rest = ''] = IN_FONT_FILE.exec(value) ?? [];
  const font = readFont(written)?.publicId;
  if (font === undefined) return undefined;
  const [name = ''] = /[^/]*(?=\.)/.exec(font.slice(font.lastIndexOf('/') + 1)) ?? [];
  const text = `text:${name.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-/, 'x-')}${rest}`;
  return writeTextLayer(text) === text ? { kind: 'text', under, text } : undefined;
}

/** The layer after `l_` or `u_`, or undefined if the grammar has no such layer. */
export function readLayer(value: string, under: boolean): Layer | undefined {
  if (value.startsWith('text:')) {
    if (writeTextLayer(value) === value) return { kind: 'text', under, text: value };
    return readFontLayer(value, under);
  }
  const asset = readAssetLayer(value);
  return asset && { kind: 'asset', under, asset };
}
