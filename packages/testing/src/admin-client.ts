import { randomUUID } from 'node:crypto';
import { PixsealError, type Problem } from '../../client/src/pixseal-client.js';

/** An issuer to create. */
export interface NewIssuer {
  readonly name?: string;
  /** As in docs/policy.md. */
  readonly policy?: Readonly<Record<string, unknown>>;
}

/** An issuer with its key, as `signToken` accepts it. */
export interface CreatedIssuer {
  readonly id: string;
  readonly keyId: string;
  readonly secret: string;
  readonly dsn: string;
}

/** An original. With a file the service stores it; without one only the row is created. */
interface NewAsset {
  readonly issuerId: string;
  /** Generated if omitted. */
  readonly publicId?: string;
  readonly deliveryType?: 'upload' | 'private' | 'authenticated';
  /** JPEG, PNG, WebP, AVIF, GIF or TIFF. */
  readonly file?: Uint8Array;
}

/** An image to create. */
export interface NewImage extends NewAsset {
  /** 1 if omitted. */
  readonly version?: number;
  readonly access?: 'token' | 'public';
}

/** An overlay to create. */
export interface NewOverlay extends NewAsset {
  /** Whether policies of other issuers may use it. */
  readonly shared?: boolean;
}

/** An image of an issuer. */
export interface CreatedImage {
  readonly id: string;
  readonly publicId: string;
  readonly version: number;
}

/** An overlay of an issuer. Steps refer to its id. */
export interface CreatedOverlay {
  readonly id: string;
  readonly publicId: string;
}

/** Creates fixtures through the admin API. */
export class AdminClient {
  constructor(
    private readonly baseUrl: string,
    private readonly adminKey: string,
  ) {}

  async createIssuer({ name = 'Test', policy }: NewIssuer): Promise<CreatedIssuer> {
    const { id, key } = await this.create<{ id: string; key: { id: string; secret: string; dsn: string } }>(
      'issuers',
      JSON.stringify({ name, policy }),
    );
    return { id, keyId: key.id, secret: key.secret, dsn: key.dsn };
  }

  async createImage({ version = 1, access, ...asset }: NewImage): Promise<CreatedImage> {
    const row = await this.create<AssetRow & { version: number }>(
      'images',
      bodyOf(asset, { version, access }),
    );
    return { id: row.id, publicId: row.public_id, version: row.version };
  }

  async createOverlay(asset: NewOverlay): Promise<CreatedOverlay> {
    const row = await this.create<AssetRow>('overlays', bodyOf(asset, { shared: asset.shared }));
    return { id: row.id, publicId: row.public_id };
  }

  private async create<Row>(path: string, body: string | FormData): Promise<Row> {
    const answer = await fetch(`${this.baseUrl}/admin/${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.adminKey}`,
        // `fetch` sets that of a form, with its boundary.
        ...(typeof body === 'string' ? { 'content-type': 'application/json' } : {}),
      },
      body,
    });
    const answered: unknown = await answer.json();
    if (answer.status !== 201) throw new PixsealError(answer.status, answered as Problem);
    return answered as Row;
  }
}

interface AssetRow {
  readonly id: string;
  readonly public_id: string;
}

function bodyOf(
  { issuerId, publicId = `test/${randomUUID()}`, deliveryType, file }: NewAsset,
  more: Readonly<Record<string, string | number | boolean | undefined>> = {},
): string | FormData {
  const members = { issuer_id: issuerId, public_id: publicId, delivery_type: deliveryType, ...more };
  if (file === undefined) return JSON.stringify(members);
  const form = new FormData();
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined) form.set(name, value);
  }
  form.set('file', new Blob([new Uint8Array(file)]));
  return form;
}
