import { useEffect, useRef, useState } from 'preact/hooks';
import {
  type ServiceResponse,
  explain,
  type Explanation,
  loadImage,
  type LoadedImage,
  sealedPath,
} from './service.js';
import { type Claims, type SigningKey, signToken } from './token.js';

/** Milliseconds without a change after which a token is sealed. */
const PAUSE = 250;

export interface ToSeal {
  readonly key: SigningKey;
  readonly imageId: string;
  /** Without `exp`. */
  readonly claims: Claims;
  /** Seconds; null for a token that never expires. */
  readonly lifetime: number | null;
}

/** A token and the service's response. */
export interface Sealed {
  readonly token: string;
  readonly imageId: string;
  readonly claims: Claims;
  readonly response: ServiceResponse<Explanation>;
}

/**
 * Runs at once, then with a delay after each change; the signal aborts as soon as a newer run is requested, so that
 * nothing stale is shown.
 */
function useLatest(run: (signal: AbortSignal) => Promise<void>, pause: number, on: unknown): void {
  const isFirst = useRef(true);
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(
      () => {
        run(abort.signal).catch((error: unknown) => {
          if (!abort.signal.aborted) throw error;
        });
      },
      isFirst.current ? 0 : pause,
    );
    isFirst.current = false;
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [on]);
}

/** Seals and explains continuously. @param toSeal Null while something is missing. */
export function useSealed(toSeal: ToSeal | null): { readonly sealed: Sealed | null; readonly busy: boolean } {
  const requested = JSON.stringify(toSeal);
  const [{ sealed, of }, show] = useState<{ sealed: Sealed | null; of: string }>({
    sealed: null,
    of: 'null',
  });
  useLatest(
    async (signal) => {
      if (toSeal === null) {
        show({ sealed: null, of: requested });
        return;
      }
      const { key, imageId, lifetime } = toSeal;
      const exp = lifetime === null ? {} : { exp: Math.floor(Date.now() / 1000) + lifetime };
      const claims = { ...toSeal.claims, ...exp };
      const token = await signToken(key, claims);
      const response = await explain(imageId, token, signal);
      if (!signal.aborted) show({ sealed: { token, imageId, claims, response }, of: requested });
    },
    PAUSE,
    requested,
  );
  return { sealed, busy: requested !== of };
}

/** The image of a sealed token; the previous one stays until the next is loaded. */
export function useImage(sealed: Sealed | null): {
  readonly image: ServiceResponse<LoadedImage> | null;
  readonly busy: boolean;
} {
  const explained = sealed !== null && 'ok' in sealed.response ? sealed.response.ok : null;
  const path = sealed === null || explained === null ? null : sealedPath(sealed.imageId, sealed.token);
  const [{ image, of }, show] = useState<{ image: ServiceResponse<LoadedImage> | null; of: string | null }>({
    image: null,
    of: null,
  });
  useLatest(
    async (signal) => {
      if (path === null || explained === null) {
        show((shown) => ({ ...shown, of: path }));
        return;
      }
      const response = await loadImage(path, explained.location, signal);
      if (!signal.aborted) show({ image: response, of: path });
    },
    0,
    path,
  );
  const src = image !== null && 'ok' in image ? image.ok.src : null;
  useEffect(
    () => () => {
      if (src?.startsWith('blob:') === true) URL.revokeObjectURL(src);
    },
    [src],
  );
  return { image, busy: path !== of };
}
