import { randomUUID } from 'node:crypto';
import { ReferenceModel } from './reference-model.js';
import {
  type Algorithm,
  isoOf,
  type ModelImage,
  type ModelAsset,
  type ModelIssuer,
  type ModelKey,
  type ModelOverlay,
  type ModelPolicy,
} from './rows.js';

/** The response that the admin API must give. */
export interface ExpectedResponse {
  readonly status: number;
  /** The `code` of a problem. */
  readonly code?: string;
  /** A row without `created_at` and `updated_at`. */
  readonly body?: Readonly<Record<string, unknown>>;
}

/** A request of the admin API that the model has applied, and the response that the service must give. */
export interface PlannedRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly expected: ExpectedResponse;
  /** Records the ids and secrets that the service generates. */
  readonly learn?: (body: unknown) => void;
}

/** A row as the admin API shows it. */
type View = Readonly<Record<string, unknown>> & { readonly id: string };

interface NewKey {
  readonly id: string;
  readonly secret: string;
}

const MAX_KEYS = 8;
const DONE: ExpectedResponse = { status: 204 };
const problem = (status: number, code: string): ExpectedResponse => ({ status, code });
const NO_ISSUER = problem(404, 'issuer_not_found');
const ID_TAKEN = problem(409, 'id_taken');
const PUBLIC_ID_TAKEN = problem(409, 'public_id_taken');
const INVALID = problem(422, 'invalid_request');

/**
 * Predicts the admin API: each method applies one request to the rows, and returns the request with the response that
 * the service must give.
 */
export class AdminModel extends ReferenceModel {
  /** Issuers of deleted assets, by delivery type and public id: only they can register them again. */
  private readonly retained = new Map<string, string>();

  /** All ids ever used, so that requests name deleted rows too. */
  readonly known = {
    issuers: new Set<string>(),
    keys: new Set<ModelKey>(),
    images: new Set<string>(),
    overlays: new Set<string>(),
    revocations: new Set<string>(),
  };

  /** @param name The name of all its issuers and the folder of all its public ids, unique among models. */
  constructor(readonly name: string) {
    super();
  }

  createIssuer({
    id,
    ...fields
  }: Pick<ModelIssuer, 'id' | 'disabled' | 'delivery_format' | 'policy'>): PlannedRequest {
    const body = { id, name: this.name, ...fields };
    const request = { method: 'POST', path: '/issuers', body };
    if (this.issuers.has(id)) return { ...request, expected: ID_TAKEN };
    const row = { id, ...fields, not_before: null };
    this.issuers.set(id, row);
    this.known.issuers.add(id);
    return {
      ...request,
      expected: { status: 201, body: this.viewIssuer(row) },
      learn: (created) => {
        this.addKey(id, (created as { key: NewKey }).key, {
          algorithm: 'HS256',
          not_before: null,
          not_after: null,
        });
      },
    };
  }

  updateIssuer(id: string, change: Partial<Omit<ModelIssuer, 'id'>>): PlannedRequest {
    const request = { method: 'PATCH', path: `/issuers/${id}`, body: withIsoTimes(change) };
    const row = this.issuers.get(id);
    if (row === undefined) return { ...request, expected: NO_ISSUER };
    if (change.policy !== undefined && !this.hasRowsOf(id, change.policy))
      return { ...request, expected: INVALID };
    const changed = { ...row, ...change };
    this.issuers.set(id, changed);
    return { ...request, expected: { status: 200, body: this.viewIssuer(changed) } };
  }

  deleteIssuer(id: string): PlannedRequest {
    const request = { method: 'DELETE', path: `/issuers/${id}` };
    if (!this.issuers.has(id)) return { ...request, expected: NO_ISSUER };
    if (this.imagesOf(id).length + this.overlaysOf(id).length > 0) {
      return { ...request, expected: problem(409, 'issuer_not_empty') };
    }
    this.removeIssuer(id);
    return { ...request, expected: DONE };
  }

  createKey(
    issuerId: string,
    fields: Pick<ModelKey, 'algorithm' | 'not_before' | 'not_after'> & { readonly secret?: string },
  ): PlannedRequest {
    const request = { method: 'POST', path: `/issuers/${issuerId}/keys`, body: withIsoTimes(fields) };
    if (!this.issuers.has(issuerId)) return { ...request, expected: NO_ISSUER };
    if (this.keysOf(issuerId).length >= MAX_KEYS)
      return { ...request, expected: problem(409, 'too_many_keys') };
    if (!isOrdered(fields)) return { ...request, expected: INVALID };
    return {
      ...request,
      expected: { status: 201 },
      learn: (created) => {
        this.addKey(issuerId, created as NewKey, fields);
      },
    };
  }

  updateKey(
    issuerId: string,
    keyId: string,
    change: Partial<Pick<ModelKey, 'not_before' | 'not_after'>>,
  ): PlannedRequest {
    const path = `/issuers/${issuerId}/keys/${keyId}`;
    const request = { method: 'PATCH', path, body: withIsoTimes(change) };
    const key = this.findKey(issuerId, keyId);
    if ('status' in key) return { ...request, expected: key };
    const changed = { ...key, ...change };
    if (!isOrdered(changed)) return { ...request, expected: INVALID };
    this.keys.set(keyId, changed);
    return { ...request, expected: { status: 200, body: viewKey(changed) } };
  }

  revokeKey(issuerId: string, keyId: string): PlannedRequest {
    const request = { method: 'DELETE', path: `/issuers/${issuerId}/keys/${keyId}` };
    const key = this.findKey(issuerId, keyId);
    if ('status' in key) return { ...request, expected: key };
    this.keys.delete(keyId);
    return { ...request, expected: DONE };
  }

  createImage(
    row: Omit<ModelImage, 'not_before' | 'format'> & { readonly format?: string | undefined },
  ): PlannedRequest {
    const request = { method: 'POST', path: '/images', body: row };
    const taken = this.images.has(row.id) || this.deletedImages.has(row.id);
    const refusal = this.refuseAsset(row, this.images, taken);
    if (refusal !== null) return { ...request, expected: refusal };
    const created = { ...row, format: row.format ?? null, not_before: null };
    this.images.set(row.id, created);
    this.retain(null, created);
    this.known.images.add(row.id);
    return { ...request, expected: { status: 201, body: viewImage(created) } };
  }

  updateImage(id: string, change: Partial<Omit<ModelImage, 'id' | 'issuer_id'>>): PlannedRequest {
    const request = { method: 'PATCH', path: `/images/${id}`, body: withIsoTimes(change) };
    const row = this.findImage(id);
    if ('status' in row) return { ...request, expected: row };
    const changed = { ...row, ...change };
    const refusal = this.refuseAsset(changed, this.images, false);
    if (refusal !== null) return { ...request, expected: refusal };
    this.images.set(id, changed);
    this.retain(row, changed);
    return { ...request, expected: { status: 200, body: viewImage(changed) } };
  }

  deleteImage(id: string): PlannedRequest {
    const request = { method: 'DELETE', path: `/images/${id}` };
    const row = this.findImage(id);
    if ('status' in row) return { ...request, expected: row };
    this.removeImage(id);
    this.retain(row, null);
    return { ...request, expected: DONE };
  }

  createOverlay(row: ModelOverlay): PlannedRequest {
    const request = { method: 'POST', path: '/overlays', body: row };
    const refusal = this.refuseAsset(row, this.overlays, this.overlays.has(row.id));
    if (refusal !== null) return { ...request, expected: refusal };
    this.overlays.set(row.id, row);
    this.retain(null, row);
    this.known.overlays.add(row.id);
    return { ...request, expected: { status: 201, body: viewOverlay(row) } };
  }

  updateOverlay(id: string, change: Partial<Omit<ModelOverlay, 'id' | 'issuer_id'>>): PlannedRequest {
    const request = { method: 'PATCH', path: `/overlays/${id}`, body: change };
    const row = this.overlays.get(id);
    if (row === undefined) return { ...request, expected: problem(404, 'overlay_not_found') };
    const changed = { ...row, ...change };
    const refusal = this.refuseAsset(changed, this.overlays, false);
    if (refusal !== null) return { ...request, expected: refusal };
    this.overlays.set(id, changed);
    this.retain(row, changed);
    return { ...request, expected: { status: 200, body: viewOverlay(changed) } };
  }

  deleteOverlay(id: string): PlannedRequest {
    const request = { method: 'DELETE', path: `/overlays/${id}` };
    const row = this.overlays.get(id);
    if (row === undefined) return { ...request, expected: problem(404, 'overlay_not_found') };
    this.overlays.delete(id);
    this.retain(row, null);
    return { ...request, expected: DONE };
  }

  revoke(
    issuerId: string,
    name: { readonly jti: string } | { readonly session_id: string },
    expiresAt: number | null,
  ): PlannedRequest {
    const body = { ...name, expires_at: isoOf(expiresAt) };
    const request = { method: 'POST', path: `/issuers/${issuerId}/revocations`, body };
    if (!this.issuers.has(issuerId)) return { ...request, expected: NO_ISSUER };
    const row = { issuer_id: issuerId, jti: null, session_id: null, ...name };
    const before = this.revocationsOf(issuerId).find(
      ({ jti, session_id }) => jti === row.jti && session_id === row.session_id,
    );
    // A repeated revocation never expires earlier than the first.
    const expiries = before === undefined ? [expiresAt] : [before.expires_at, expiresAt];
    const until = expiries.includes(null) ? null : Math.max(...expiries.map(Number));
    const id = before?.id;
    if (id !== undefined) this.revocations.set(id, { ...row, id, expires_at: until });
    return {
      ...request,
      expected: {
        status: 201,
        body: { ...row, expires_at: isoOf(until), ...(id === undefined ? {} : { id }) },
      },
      learn: (created) => {
        const { id: createdId } = created as { id: string };
        this.revocations.set(createdId, { ...row, id: createdId, expires_at: until });
        this.known.revocations.add(createdId);
      },
    };
  }

  restore(issuerId: string, id: string): PlannedRequest {
    const request = { method: 'DELETE', path: `/issuers/${issuerId}/revocations/${id}` };
    if (!this.issuers.has(issuerId)) return { ...request, expected: NO_ISSUER };
    if (this.revocations.get(id)?.issuer_id !== issuerId) {
      return { ...request, expected: problem(404, 'revocation_not_found') };
    }
    this.revocations.delete(id);
    return { ...request, expected: DONE };
  }

  getIssuer(id: string): PlannedRequest {
    const row = this.issuers.get(id);
    const keys = this.keysOf(id).map(viewKey).toReversed();
    return {
      method: 'GET',
      path: `/issuers/${id}`,
      expected: row === undefined ? NO_ISSUER : { status: 200, body: { ...this.viewIssuer(row), keys } },
    };
  }

  getImage(id: string): PlannedRequest {
    const row = this.findImage(id);
    const expected = 'status' in row ? row : { status: 200, body: viewImage(row) };
    return { method: 'GET', path: `/images/${id}`, expected };
  }

  getOverlay(id: string): PlannedRequest {
    const row = this.overlays.get(id);
    const expected =
      row === undefined ? problem(404, 'overlay_not_found') : { status: 200, body: viewOverlay(row) };
    return { method: 'GET', path: `/overlays/${id}`, expected };
  }

  /**
   * All rows of a list in order, whatever its page size.
   * @param search A part of their name or public id; null for all. Revocations cannot be searched.
   */
  listed(
    list: 'issuers' | 'images' | 'overlays' | 'revocations',
    issuerId: string,
    search: string | null,
  ): readonly object[] {
    const found = (name: string): boolean => name.toLowerCase().includes(search?.toLowerCase() ?? '');
    const isFound = (row: ModelAsset): boolean => found(row.public_id);
    const rows: readonly { readonly id: string }[] = {
      issuers: () => (found(this.name) ? [...this.issuers.values()].map((row) => this.viewIssuer(row)) : []),
      images: () => this.imagesOf(issuerId).filter(isFound).map(viewImage),
      overlays: () => this.overlaysOf(issuerId).filter(isFound).map(viewOverlay),
      revocations: () =>
        this.revocationsOf(issuerId).map((row) => ({ ...row, expires_at: isoOf(row.expires_at) })),
    }[list]();
    return rows.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  imagesOf(issuerId: string): readonly ModelImage[] {
    return [...this.images.values()].filter((row) => row.issuer_id === issuerId);
  }

  private addKey(
    issuerId: string,
    { id, secret }: NewKey,
    {
      algorithm,
      not_before,
      not_after,
    }: { algorithm: Algorithm } & Pick<ModelKey, 'not_before' | 'not_after'>,
  ): void {
    const key = { id, issuer_id: issuerId, secret, algorithm, not_before, not_after };
    this.keys.set(id, key);
    this.known.keys.add(key);
  }

  private findKey(issuerId: string, keyId: string): ModelKey | ExpectedResponse {
    if (!this.issuers.has(issuerId)) return NO_ISSUER;
    const key = this.keys.get(keyId);
    return key?.issuer_id === issuerId ? key : problem(404, 'key_not_found');
  }

  private findImage(id: string): ModelImage | ExpectedResponse {
    const missing = this.deletedImages.has(id)
      ? problem(410, 'image_deleted')
      : problem(404, 'image_not_found');
    return this.images.get(id) ?? missing;
  }

  /** A public id belongs to one issuer; with one delivery type, to one image and one overlay. */
  private refuseAsset(
    row: ModelAsset,
    rows: ReadonlyMap<string, ModelAsset>,
    idTaken: boolean,
  ): ExpectedResponse | null {
    const { id, issuer_id, public_id, delivery_type } = row;
    const named = (each: ModelAsset): boolean => each.public_id === public_id;
    const all = [...this.images.values(), ...this.overlays.values()].filter(named);
    const retained = [...this.retained].filter(([name]) => name.endsWith(` ${public_id}`));
    if (all.some((each) => each.issuer_id !== issuer_id)) return PUBLIC_ID_TAKEN;
    if (retained.some(([, issuer]) => issuer !== issuer_id)) return PUBLIC_ID_TAKEN;
    if (idTaken) return ID_TAKEN;
    const alike = [...rows.values()].filter(named).filter((each) => each.delivery_type === delivery_type);
    if (alike.some((each) => each.id !== id)) return PUBLIC_ID_TAKEN;
    return this.issuers.has(issuer_id) ? null : NO_ISSUER;
  }

  /** Keeps a deleted asset reserved for its issuer. @param before Null for a new row. @param after Null for a deleted row. */
  private retain(before: ModelAsset | null, after: ModelAsset | null): void {
    const referenceOf = (row: ModelAsset): string => `${row.delivery_type} ${row.public_id}`;
    if (after !== null) this.retained.delete(referenceOf(after));
    if (before === null) return;
    const rows = [...this.images.values(), ...this.overlays.values()];
    if (!rows.some((row) => referenceOf(row) === referenceOf(before)))
      this.retained.set(referenceOf(before), before.issuer_id);
  }

  private hasRowsOf(issuerId: string, policy: ModelPolicy): boolean {
    const { mandatory_steps: mandatory = [], presets = {}, placeholder } = policy;
    const layers = [...mandatory, ...Object.values(presets).flat()].flatMap(({ overlay }) =>
      typeof overlay === 'string' ? [overlay] : [],
    );
    return (
      layers.every((id) => this.isVisible(id, issuerId)) &&
      (placeholder === undefined || this.images.get(placeholder)?.issuer_id === issuerId)
    );
  }

  private viewIssuer(row: ModelIssuer): View {
    const views = { iss_aliases: [], aud: null, jwks_url: null, account_id: null };
    return { ...row, ...views, name: this.name, not_before: isoOf(row.not_before) };
  }
}

/** An id that no row has. */
export const UNKNOWN_ID = randomUUID();

function viewKey({ id, algorithm, not_before, not_after }: ModelKey): View {
  return { id, algorithm, public_key: null, not_before: isoOf(not_before), not_after: isoOf(not_after) };
}

function viewImage(row: ModelImage): View {
  return { ...row, not_before: isoOf(row.not_before), rejected_at: null };
}

function viewOverlay(row: ModelOverlay): View {
  return { ...row, rejected_at: null };
}

function isOrdered({ not_before, not_after }: Pick<ModelKey, 'not_before' | 'not_after'>): boolean {
  return not_before === null || not_after === null || not_before < not_after;
}

/** A body with its times as the API writes them. */
function withIsoTimes(body: object): object {
  return Object.fromEntries(
    Object.entries(body).map(([name, value]: [string, unknown]) =>
      name.startsWith('not_') ? [name, isoOf(value as number | null)] : [name, value],
    ),
  );
}
