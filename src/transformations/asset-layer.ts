/** A row that a chain refers to: an overlay's, as in the directory. */
export interface LayerAsset {
  readonly deliveryType: 'upload' | 'private' | 'authenticated';
  /** As in Cloudinary: not encoded, folders separated by `/`. */
  readonly publicId: string;
}

/**
 * First segments that Cloudinary reads as the kind of a layer. An uploaded asset in such a folder has no spelling as a
 * layer: `fetch/aHR0…` would become `l_fetch:aHR0…`, a remote image, and `private/logo` another asset.
 */
const KINDS_OF_LAYER = new Set([
  '3d',
  'audio',
  'authenticated',
  'fetch',
  'image',
  'lut',
  'private',
  'raw',
  'render',
  'sprite',
  'subtitles',
  'text',
  'upload',
  'video',
]);

/**
 * What Cloudinary may read as a layer's format: `l_logo.png` is the asset `logo` as a PNG, which is how the SDK writes
 * `{public_id: 'logo', format: 'png'}`. The asset `logo.png` has no spelling as a layer.
 */
export const LAYER_EXTENSION = /\.(?=\d*[a-z])[a-z\d]{2,5}$/i;

/** Describes a public id that can be written as a layer. */
export const LAYER_PUBLIC_ID_ALLOWED =
  'a row whose public id has no `:`, `%`, `$`, control character or empty folder, does not end like a file (`.png`), ' +
  'and, when uploaded, does not lie in a folder named like a kind of layer (text, fetch, video, private, …)';

/**
 * The public id in a layer, or undefined if no spelling refers to exactly this asset. Every `/` becomes `:` (the SDK
 * replaces only the first). The rest is percent-encoded, while the SDK encodes only spaces: the URL stays ASCII, and a
 * comma, encoded twice as in the text of a layer, cannot end the parameter.
 */
function writeLayerPublicId({ deliveryType, publicId }: LayerAsset): string | undefined {
  const folders = publicId.split('/');
  if (
    folders.includes('') ||
    // `a:b` would be read as `a/b`; `%` and `$` would be decoded, or looked up as a variable.
    /[:%$]|\p{Cc}|\p{Cs}/u.test(publicId) ||
    LAYER_EXTENSION.test(publicId) ||
    (deliveryType === 'upload' && folders.length > 1 && KINDS_OF_LAYER.has(folders[0]?.toLowerCase() ?? ''))
  ) {
    return undefined;
  }
  return folders.map((folder) => encodeURIComponent(folder.replace(/,/g, '%2C'))).join(':');
}

const writtenLayers = new WeakMap<LayerAsset, string | undefined>();

/**
 * An asset as written after `l_` or `u_`, or undefined as in `writeLayerPublicId`. Rows do not change, so the result is
 * cached.
 */
export function writeAssetLayer(asset: LayerAsset): string | undefined {
  const known = writtenLayers.get(asset);
  if (known !== undefined) return known;
  const publicId = writeLayerPublicId(asset);
  const layer =
    publicId === undefined || asset.deliveryType === 'upload'
      ? publicId
      : `${asset.deliveryType}:${publicId}`;
  writtenLayers.set(asset, layer);
  return layer;
}
