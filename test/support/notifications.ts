import { createHash } from 'node:crypto';
import { request, type HttpResponse } from './http.js';
import { API_SECRET, type Service } from './service.js';

/** Members of a notification, as Cloudinary documents them. */
export type Notification = Readonly<Record<string, unknown>>;

/** Unix time in seconds. */
export const now = (): number => Math.floor(Date.now() / 1_000);

const context = (at: number): object => ({
  notification_context: {
    triggered_at: new Date(at * 1_000).toISOString(),
    triggered_by: { source: 'api', id: '123456789012345' },
  },
});

/** A notification that an asset was uploaded. @param at Unix seconds, with a fraction. */
export function uploaded(publicId: string, at: number, members: Notification = {}): Notification {
  return {
    notification_type: 'upload',
    timestamp: new Date(Math.floor(at) * 1_000).toISOString(),
    public_id: publicId,
    version: Math.floor(at),
    format: 'jpg',
    resource_type: 'image',
    type: 'authenticated',
    tags: [],
    ...context(at),
    ...members,
  };
}

/** A notification that assets were deleted. */
export function deleted(
  publicIds: string | readonly string[],
  at: number,
  members: Notification = {},
): Notification {
  return {
    notification_type: 'delete',
    resources: [publicIds].flat().map((publicId) => ({
      public_id: publicId,
      resource_type: 'image',
      type: 'authenticated',
      ...members,
    })),
    ...context(at),
  };
}

/** A notification that an asset was renamed. */
export function renamed(from: string, to: string, at: number, members: Notification = {}): Notification {
  return {
    notification_type: 'rename',
    resource_type: 'image',
    type: 'authenticated',
    from_public_id: from,
    to_public_id: to,
    ...context(at),
    ...members,
  };
}

/** Sends a body with Cloudinary's headers, unless others are passed. */
export function send(
  { port }: Pick<Service, 'port'>,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpResponse> {
  const timestamp = headers['x-cld-timestamp'] ?? String(now());
  return request({
    port,
    method: 'POST',
    path: '/cloudinary/notifications',
    body,
    headers: { 'x-cld-timestamp': timestamp, 'x-cld-signature': sign(body, timestamp), ...headers },
  });
}

/** The signature by Cloudinary's documentation: body, timestamp and secret as one text. */
export function sign(body: string, timestamp: string, algorithm: 'sha1' | 'sha256' = 'sha1'): string {
  return createHash(algorithm)
    .update(body + timestamp + API_SECRET)
    .digest('hex');
}

/** Sends a notification to the service. @returns the number of changed rows. @throws if it is not acknowledged. */
export async function notify(service: Pick<Service, 'port'>, notification: Notification): Promise<number> {
  const response = await send(service, JSON.stringify(notification));
  if (response.status !== 200) throw new Error(`Unexpected response: ${response.status} ${response.text}`);
  return (response.json() as { changed: number }).changed;
}
