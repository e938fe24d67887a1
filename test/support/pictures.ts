import sharp from 'sharp';
import { drawPhoto, drawWatermark } from '../../src/operations/demo/drawings.js';
import { post, SEED } from './seed.js';
import { ADMIN_KEY, type Service } from './service.js';

/** A response as a client of images reads it. */
export interface ImageResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/** Requests an image over HTTP, without following redirects. */
export async function getPicture(url: string, headers: Record<string, string> = {}): Promise<ImageResponse> {
  const response = await fetch(url, { headers, redirect: 'manual' });
  return {
    status: response.status,
    headers: response.headers,
    body: Buffer.from(await response.arrayBuffer()),
  };
}

export const photo = once(drawPhoto);
const watermark = once(drawWatermark);

function once<T>(draw: () => Promise<T>): () => Promise<T> {
  let drawn: Promise<T> | undefined;
  return () => (drawn ??= draw());
}

/** Width, height and format of an image. */
export async function measure(body: Buffer): Promise<{ width: number; height: number; format: string }> {
  const { width, height, format } = await sharp(body).metadata();
  return { width, height, format };
}

/** The demo's drawings under the given names, uploaded over the admin API. */
export async function uploadPictures(
  service: Service,
  issuerId: string,
  { image, overlay }: { image: Record<string, string>; overlay?: Record<string, string> },
): Promise<{ imageId: string; overlayId: string | null }> {
  const imageId = await upload(service, 'images', { issuer_id: issuerId, ...image }, await photo());
  const overlayId =
    overlay === undefined
      ? null
      : await upload(service, 'overlays', { issuer_id: issuerId, ...overlay }, await watermark());
  return { imageId, overlayId };
}

/**
 * Creates the seed's issuer and uploads its image and overlay.
 * @param image Further fields of the image.
 * @returns the secret of the issuer's key.
 */
export async function uploadSeed(service: Service, image: Record<string, string> = {}): Promise<string> {
  const { key } = await post<{ key: { secret: string } }>(service, '/issuers', {
    id: SEED.issuerId,
    name: 'Seed',
  });
  await uploadPictures(service, SEED.issuerId, {
    image: { id: SEED.imageId, public_id: SEED.publicId, version: String(SEED.version), ...image },
    overlay: { id: SEED.overlayId, public_id: SEED.overlayPublicId },
  });
  return key.secret;
}

async function upload(
  service: Service,
  path: string,
  fields: Record<string, string>,
  content: Buffer,
): Promise<string> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set('file', new Blob([new Uint8Array(content)]));
  const response = await fetch(`${service.url}/admin/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_KEY}` },
    body: form,
  });
  const body = (await response.json()) as { id: string };
  if (response.status !== 201) throw new Error(`Upload failed: ${response.status} ${JSON.stringify(body)}`);
  return body.id;
}
