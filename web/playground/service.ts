import type { VocabularyDocument } from '../../src/pages/playground/vocabulary.document.js';

/** The response of `GET /images/:image_id/explain`, as far as it is shown. */
export interface Explanation {
  readonly image_id: string;
  readonly issuer_id: string;
  readonly expires_at: string | null;
  readonly ignored_claims: readonly (Ignored & { readonly claim: string })[];
  readonly base_chain: readonly string[];
  readonly steps: readonly ExplainedStep[];
  readonly mandatory_chain: readonly string[];
  readonly largest_output: { readonly width: number | null; readonly height: number | null };
  readonly url: string;
  readonly location: string;
}

/** Why a claim or key has no effect, and the known name that was probably intended. */
interface Ignored {
  readonly reason: string;
  readonly near?: string;
}

export interface ExplainedStep {
  readonly step: number;
  readonly preset?: string;
  readonly component: string;
  readonly ignored: readonly (Ignored & { readonly key: string })[];
}

/** A refusal: `application/problem+json`, or a substitute if there was no response. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly step?: number;
  readonly key?: string;
  readonly allowed?: string;
}

export type ServiceResponse<T> = { readonly ok: T } | { readonly problem: Problem };

async function request<T>(path: string, init: RequestInit): Promise<ServiceResponse<T>> {
  try {
    const response = await fetch(path, { ...init, credentials: 'omit', referrerPolicy: 'no-referrer' });
    const body: unknown = await response.json();
    return response.ok ? { ok: body as T } : { problem: body as Problem };
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    return { problem: { status: 0, code: 'no_answer', detail: 'The service does not respond.' } };
  }
}

const imagePath = (imageId: string): string => `/images/${encodeURIComponent(imageId)}`;

/** The path of a sealed image. */
export const sealedPath = (imageId: string, token: string): string =>
  `${imagePath(imageId)}?token=${encodeURIComponent(token)}`;

/** How a token becomes a URL, or why not. @throws if aborted. */
export const explain = (
  imageId: string,
  token: string,
  signal: AbortSignal,
): Promise<ServiceResponse<Explanation>> =>
  request(`${imagePath(imageId)}/explain?token=${encodeURIComponent(token)}`, { signal });

export const loadVocabulary = (): Promise<ServiceResponse<VocabularyDocument>> =>
  request('/playground/vocabulary.json', {});

/** A row in a list to pick from. */
export interface Row {
  readonly id: string;
  /** Of issuers. */
  readonly name?: string;
  /** Of images and overlays. */
  readonly public_id?: string;
}

/** A page of an admin list. */
export interface Page {
  readonly items: readonly Row[];
  readonly next_cursor: string | null;
}

/** A hundred rows of an admin list. The key is sent only in the header. @throws if aborted. */
export const listRows = (
  adminKey: string,
  list: 'issuers' | 'images' | 'overlays',
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<ServiceResponse<Page>> =>
  request(`/admin/${list}?${new URLSearchParams({ limit: '100', ...query }).toString()}`, {
    headers: { Authorization: `Bearer ${adminKey}` },
    signal,
  });

/** An image that was loaded and can be shown. */
export interface LoadedImage {
  readonly src: string;
  /** Bytes; null if another origin sent it. */
  readonly bytes: number | null;
  readonly type: string | null;
  /** Parameters that the local renderer approximates. */
  readonly approximate: string | null;
}

/** The Accept header of an `<img>`, so that `f_auto` returns the same format. */
const ACCEPT = 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8';

/**
 * Follows the redirect to the image. An image of another origin is loaded by the browser.
 * @throws if aborted.
 */
export async function loadImage(
  path: string,
  location: string,
  signal: AbortSignal,
): Promise<ServiceResponse<LoadedImage>> {
  if (new URL(location, window.location.href).origin !== window.location.origin) {
    return { ok: { src: path, bytes: null, type: null, approximate: null } };
  }
  try {
    const response = await fetch(path, { signal, headers: { Accept: ACCEPT }, credentials: 'omit' });
    const reason = response.headers.get('X-Cld-Error');
    if (!response.ok) {
      const detail = reason ?? 'The image was refused.';
      return { problem: { status: response.status, code: 'picture_refused', detail } };
    }
    const blob = await response.blob();
    return {
      ok: {
        src: URL.createObjectURL(blob),
        bytes: blob.size,
        type: blob.type,
        approximate: response.headers.get('X-Pixseal-Approximate'),
      },
    };
  } catch (error) {
    if (signal.aborted) throw error;
    return { problem: { status: 0, code: 'no_answer', detail: 'The image could not be loaded.' } };
  }
}
