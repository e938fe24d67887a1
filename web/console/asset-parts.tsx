import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { adminPath, type Asset } from './service.js';

export type AssetKind = 'images' | 'overlays';
export const SINGULAR = { images: 'image', overlays: 'overlay' } as const;

/** Values of an image's `access`, with their labels. */
export const ACCESSES = [
  ['token', 'with a token only'],
  ['public', 'without a token too'],
] as const;

interface ThumbnailProps {
  readonly kind: AssetKind;
  readonly asset: Asset;
  /** `original-preview`: of an image, without its issuer's policy. */
  readonly of?: 'preview' | 'original-preview';
}

/** A preview of an image or overlay as the service delivers it. */
export function Thumbnail({ kind, asset, of = 'preview' }: ThumbnailProps): JSX.Element {
  const [failed, setFailed] = useState(false);
  return (
    <span class="thumbnail">
      {failed ? (
        <span class="hint">No preview</span>
      ) : (
        <img
          loading="lazy"
          // The address changes with the original: otherwise a browser would show its cached image.
          src={adminPath(`${kind}/${asset.id}/${of}`, { changed: asset.updated_at })}
          alt=""
          decoding="async"
          onError={() => {
            setFailed(true);
          }}
        />
      )}
    </span>
  );
}

/** Progress of an upload: the part that is sent, from 0 to 1; null without an upload. */
export function UploadProgress({ part }: { readonly part: number | null }): JSX.Element | null {
  if (part === null) return null;
  return (
    <label class="stack-tight">
      <span class="hint">{part < 1 ? 'Sending' : 'Sent; the service is processing it'}</span>
      <progress max={1} value={part} />
    </label>
  );
}
