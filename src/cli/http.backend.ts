import type {
  AccountSecretView,
  AccountView,
  AccountWithSecretsView,
} from '../admin/accounts/account.view.js';
import type { AdminKeyView, NewAdminKeyView } from '../admin/access/admin-key.view.js';
import type { ExplanationView } from '../redirect/explanation.view.js';
import type { RewrapResult } from '../admin/issuers/stored-secrets.service.js';
import type {
  IssuerView,
  IssuerWithKeysView,
  KeyView,
  NewIssuerView,
  NewKeyView,
} from '../admin/issuers/issuer.view.js';
import type { RetainedPublicIdView } from '../admin/retained-public-ids/retained-public-id.view.js';
import type { RevocationView } from '../admin/revocations/revocation.view.js';
import type { ProblemExtensions } from '../domain/problem.error.js';
import type { ProblemCode } from '../domain/problems.js';
import {
  type AssetBackend,
  type AuditFilters,
  type AuditPage,
  Backend,
  type ExplanationRequest,
  type ImageBackend,
  type IssuerAccount,
  type Json,
  type OverlayBackend,
  type RowFilters,
} from './backend.js';
import { CommandFailedError, RemoteProblemError, UsageError } from './cli.errors.js';
import type { InputFile } from './input.js';

/** Milliseconds. */
const TIMEOUT = 30_000;
const UPLOAD_TIMEOUT = 120_000;

/** Calls a running service over its public and admin API. */
export class HttpBackend extends Backend {
  readonly images: ImageBackend = this.assets('/admin/images');
  readonly overlays: OverlayBackend = this.assets('/admin/overlays');

  /**
   * @param origin Of the service, without a trailing slash.
   * @param adminKey Null if none is given: explaining needs none.
   */
  constructor(
    readonly origin: string,
    private readonly adminKey: string | null,
  ) {
    super();
  }

  createIssuer(input: object): Promise<Json<NewIssuerView>> {
    return this.create('/admin/issuers', input);
  }

  listIssuers(): Promise<Json<IssuerView>[]> {
    return this.list('/admin/issuers', {});
  }

  getIssuer(id: string): Promise<Json<IssuerWithKeysView>> {
    return this.requestAsAdmin(issuerPath(id));
  }

  updateIssuer(id: string, input: object): Promise<Json<IssuerView>> {
    return this.write('PATCH', issuerPath(id), input);
  }

  async deleteIssuer(id: string): Promise<void> {
    await this.requestAsAdmin(issuerPath(id), { method: 'DELETE' });
  }

  addKey(issuerId: string, input: object): Promise<Json<NewKeyView>> {
    return this.create(`${issuerPath(issuerId)}/keys`, input);
  }

  updateKey(issuerId: string, id: string, input: object): Promise<Json<KeyView>> {
    return this.write('PATCH', `${issuerPath(issuerId)}/keys/${encodeURIComponent(id)}`, input);
  }

  async revokeKey(issuerId: string, id: string): Promise<void> {
    await this.requestAsAdmin(`${issuerPath(issuerId)}/keys/${encodeURIComponent(id)}`, { method: 'DELETE' });
  }

  revoke(issuerId: string, input: object): Promise<Json<RevocationView>> {
    return this.create(`${issuerPath(issuerId)}/revocations`, input);
  }

  listRevocations(issuerId: string): Promise<Json<RevocationView>[]> {
    return this.list(`${issuerPath(issuerId)}/revocations`, {});
  }

  async deleteRevocation(issuerId: string, id: string): Promise<void> {
    const path = `${issuerPath(issuerId)}/revocations/${encodeURIComponent(id)}`;
    await this.requestAsAdmin(path, { method: 'DELETE' });
  }

  listAudit(filters: AuditFilters): Promise<AuditPage> {
    return this.requestAsAdmin(`/admin/audit?${queryOf(filters)}`);
  }

  async findAccountOf(issuerId: string): Promise<IssuerAccount | null> {
    const issuer = await this.getIssuer(issuerId);
    if (issuer.account_id === null) return null;
    const { cloud_name: cloudName } = await this.getAccount(issuer.account_id);
    return { cloudName, credentials: null };
  }

  createAccount(input: object): Promise<Json<AccountWithSecretsView>> {
    return this.create('/admin/accounts', input);
  }

  listAccounts(): Promise<Json<AccountView>[]> {
    return this.list('/admin/accounts', {});
  }

  getAccount(id: string): Promise<Json<AccountWithSecretsView>> {
    return this.requestAsAdmin(accountPath(id));
  }

  updateAccount(id: string, input: object): Promise<Json<AccountView>> {
    return this.write('PATCH', accountPath(id), input);
  }

  async deleteAccount(id: string): Promise<void> {
    await this.requestAsAdmin(accountPath(id), { method: 'DELETE' });
  }

  addAccountSecret(accountId: string, input: object): Promise<Json<AccountSecretView>> {
    return this.create(`${accountPath(accountId)}/secrets`, input);
  }

  updateAccountSecret(accountId: string, id: string, input: object): Promise<Json<AccountSecretView>> {
    return this.write('PATCH', `${accountPath(accountId)}/secrets/${encodeURIComponent(id)}`, input);
  }

  async revokeAccountSecret(accountId: string, id: string): Promise<void> {
    const path = `${accountPath(accountId)}/secrets/${encodeURIComponent(id)}`;
    await this.requestAsAdmin(path, { method: 'DELETE' });
  }

  listRetainedPublicIds(filters: RowFilters): Promise<Json<RetainedPublicIdView>[]> {
    return this.list('/admin/retained-public-ids', filters);
  }

  async releasePublicId(id: string): Promise<void> {
    await this.requestAsAdmin(`/admin/retained-public-ids/${encodeURIComponent(id)}`, { method: 'DELETE' });
  }

  createAdminKey(input: object): Promise<Json<NewAdminKeyView>> {
    return this.create('/admin/admin-keys', input);
  }

  listAdminKeys(): Promise<Json<AdminKeyView>[]> {
    return this.list('/admin/admin-keys', {});
  }

  async revokeAdminKey(id: string): Promise<void> {
    await this.requestAsAdmin(`/admin/admin-keys/${encodeURIComponent(id)}`, { method: 'DELETE' });
  }

  explain({ pathId, query }: ExplanationRequest): Promise<Json<ExplanationView>> {
    return this.request(`/images/${encodeURIComponent(pathId)}/explain?${query.toString()}`);
  }

  rewrapKeys(): Promise<RewrapResult> {
    throw new UsageError(
      'keys rewrap requires direct access to the database: omit --server and PIXSEAL_SERVER, and set DATABASE_URL and SECRETS_KEY; a service with an embedded database must be stopped.',
    );
  }

  getSigningKey(): Promise<never> {
    throw new UsageError(
      'The server never returns secrets. Supply the issuer’s secret: set PIXSEAL_DSN or PIXSEAL_SECRET, or pass --secret-file.',
    );
  }

  async close(): Promise<void> {
    // There is no connection to close.
  }

  private assets<View, Create extends object, Update extends object, Filters extends RowFilters>(
    path: string,
  ): AssetBackend<View, Create, Update, Filters> {
    const pathOf = (id: string): string => `${path}/${encodeURIComponent(id)}`;
    return {
      create: (input, file) =>
        file === undefined ? this.create(path, input) : this.upload('POST', path, file, input),
      list: (filters) => this.list(path, filters),
      get: (id) => this.requestAsAdmin(pathOf(id)),
      update: (id, input) => this.write('PATCH', pathOf(id), input),
      replaceOriginal: (id, file) => this.upload('PUT', `${pathOf(id)}/original`, file, {}),
      delete: async (id) => {
        await this.requestAsAdmin(pathOf(id), { method: 'DELETE' });
      },
    };
  }

  private upload<T>(
    method: 'POST' | 'PUT',
    path: string,
    { content, filename }: InputFile,
    fields: object,
  ): Promise<T> {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields) as [string, string | number | boolean | undefined][]) {
      if (value !== undefined) form.set(name, String(value));
    }
    form.set('file', new Blob([content]), filename);
    return this.requestAsAdmin(path, { method, body: form, signal: AbortSignal.timeout(UPLOAD_TIMEOUT) });
  }

  private async list<T>(path: string, filters: object): Promise<T[]> {
    const rows: T[] = [];
    let cursor: string | null = null;
    do {
      const query = queryOf({ limit: 100, ...filters, ...(cursor === null ? {} : { cursor }) });
      const page: { items: readonly T[]; next_cursor: string | null } = await this.requestAsAdmin(
        `${path}?${query}`,
      );
      rows.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor !== null);
    return rows;
  }

  private create<T>(path: string, body: object): Promise<T> {
    return this.write('POST', path, body);
  }

  private write<T>(method: 'POST' | 'PATCH', path: string, body: object): Promise<T> {
    return this.requestAsAdmin(path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  private requestAsAdmin<T>(
    path: string,
    init: Pick<RequestInit, 'method' | 'body' | 'signal'> & {
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<T> {
    if (this.adminKey === null) {
      throw new UsageError(
        'This command requires an admin key. Set PIXSEAL_ADMIN_KEY, or pass --admin-key-file.',
      );
    }
    return this.request(path, {
      ...init,
      headers: { authorization: `Bearer ${this.adminKey}`, ...init.headers },
    });
  }

  private async request<T>(path: string, init: RequestInit = {}): Promise<T> {
    const response = await this.fetch(path, init);
    // There is no body.
    if (response.status === 204) return undefined as T;
    const body = await readJson(response);
    if (response.ok && body !== null) return body as T;
    const problem = body === null ? null : readProblem(response.status, body);
    if (problem !== null) throw problem;
    throw new CommandFailedError(
      `${this.origin} returned ${response.status}, which is not a Pixseal response. Check the address given as --server.`,
    );
  }

  private async fetch(path: string, init: RequestInit): Promise<Response> {
    try {
      // Redirects are not followed: the admin key or the token would be sent to another host.
      return await fetch(`${this.origin}${path}`, {
        signal: AbortSignal.timeout(TIMEOUT),
        ...init,
        redirect: 'manual',
      });
    } catch (error) {
      throw new CommandFailedError(
        `The service at ${this.origin} does not respond (${reasonOf(error)}). Start it, or check the address given as --server.`,
      );
    }
  }
}

const accountPath = (id: string): string => `/admin/accounts/${encodeURIComponent(id)}`;
const issuerPath = (id: string): string => `/admin/issuers/${encodeURIComponent(id)}`;

/** A query string of the members that are defined. */
function queryOf(members: object): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(members) as [string, string | number | undefined][]) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.toString();
}

async function readJson(response: Response): Promise<object | null> {
  try {
    const body: unknown = await response.json();
    return typeof body === 'object' ? body : null;
  } catch {
    return null;
  }
}

/** The standard members of RFC 9457, and `code`; all others belong to the problem. */
const STANDARD_MEMBERS = new Set(['type', 'title', 'status', 'code', 'detail']);

/** A body of RFC 9457 with our `code`; null for any other. */
function readProblem(status: number, body: object): RemoteProblemError | null {
  const { code, detail } = body as { code?: unknown; detail?: unknown };
  if (typeof code !== 'string' || typeof detail !== 'string') return null;
  const own = Object.entries(body).filter(([member]) => !STANDARD_MEMBERS.has(member));
  const extensions = Object.fromEntries(own) as ProblemExtensions;
  // A service of another release may have other codes.
  return new RemoteProblemError({ status, code: code as ProblemCode, detail, extensions });
}

/** fetch reports "fetch failed" and keeps the reason in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  if (error.name === 'TimeoutError') return 'no response in time';
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
}
