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

/** A notification that assets were moved to another folder, in an account with dynamic folders. */
export function moved(publicId: string, from: string, to: string, at: number): Notification {
  return {
    notification_type: 'move',
    resources: {
      [publicId]: {
        resource_type: 'image',
        type: 'authenticated',
        from_asset_folder: from,
        to_asset_folder: to,
        display_name: publicId,
      },
    },
    ...context(at),
  };
}

/** A notification that a folder was moved or renamed, in an account with dynamic folders. */
export function folderMoved(from: string, to: string, at: number): Notification {
  return { notification_type: 'move_or_rename_asset_folder', from_path: from, to_path: to, ...context(at) };
}

/** A notification of a moderation's outcome: it has no `type`, which only its URL contains. */
export function moderated(
  publicId: string,
  status: string,
  at: number,
  members: Notification = {},
): Notification {
  return {
    notification_type: 'moderation',
    moderation_status: status,
    moderation_kind: 'aws_rek',
    moderation_updated_at: new Date(at * 1_000).toISOString(),
    public_id: publicId,
    version: Math.floor(at),
    secure_url: `https://res.cloudinary.com/demo/image/authenticated/s--x--/v1/${publicId}.jpg`,
    ...members,
  };
}

/** A notification that the access control of assets changed; not verified with an account. */
export function accessChanged(
  publicId: string,
  rules: unknown,
  at: number,
  members: Notification = {},
): Notification {
  const asset = {
    public_id: publicId,
    resource_type: 'image',
    type: 'authenticated',
    access_control: rules,
    ...members,
  };
  return { notification_type: 'access_control_changed', resources: [asset], ...context(at) };
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
