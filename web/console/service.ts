import type { SessionResponse, SessionDocument } from '../../src/pages/console/session.document.js';

/** A refusal: `application/problem+json`, or a substitute if there was no response. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  /** The invalid members of a malformed request. */
  readonly errors?: readonly Fault[];
}

export interface Fault {
  readonly key: string;
  readonly detail: string;
}

export type ServiceResponse<T> = { readonly ok: T } | { readonly problem: Problem };

/** One page of a list of the admin API. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
}

/** `GET /admin/issuers`; times are RFC 3339. */
export interface Issuer {
  readonly id: string;
  readonly name: string;
  readonly delivery_format: string;
  /** Null: the account of `CLOUDINARY_URL`. */
  readonly account_id: string | null;
  readonly disabled: boolean;
  readonly not_before: string | null;
  readonly policy: Readonly<Record<string, unknown>>;
  readonly iss_aliases: readonly string[];
  readonly aud: string | null;
  readonly jwks_url: string | null;
  readonly created_at: string;
}

export interface Key {
  readonly id: string;
  readonly algorithm: string;
  /** In PEM; null for a secret. */
  readonly public_key: string | null;
  readonly not_before: string | null;
  readonly not_after: string | null;
  readonly uses: number;
  readonly last_used_at: string | null;
  readonly created_at: string;
}

export interface NewKey extends Key {
  readonly secret: string;
  readonly dsn: string;
}

export interface IssuerWithKeys extends Issuer {
  readonly keys: readonly Key[];
}

/** `GET /admin/accounts`: a Cloudinary account, without its secrets. */
export interface Account {
  readonly id: string;
  readonly name: string;
  readonly cloud_name: string;
  readonly host: string | null;
  readonly private_cdn: boolean;
  readonly upload_prefix: string;
  readonly signature: string;
  readonly has_auth_token_key: boolean;
  readonly disabled: boolean;
  readonly created_at: string;
}

/** An API key of an account, without its secret. */
export interface AccountSecret {
  readonly id: string;
  readonly api_key: string;
  readonly signs: boolean;
  readonly not_after: string | null;
  readonly created_at: string;
}

export interface AccountWithSecrets extends Account {
  readonly secrets: readonly AccountSecret[];
}

/** An image or an overlay; an overlay has no version, access and `not_before`. */
export interface Asset {
  readonly id: string;
  readonly issuer_id: string;
  readonly public_id: string;
  readonly delivery_type: string;
  readonly version?: number;
  readonly format?: string | null;
  readonly access?: string;
  readonly not_before?: string | null;
  /** Of an overlay. */
  readonly shared?: boolean;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface Revocation {
  readonly id: string;
  readonly jti: string | null;
  readonly session_id: string | null;
  readonly revoked_at: string;
  readonly expires_at: string | null;
}

/** A public id without a row, which only its issuer can register. */
export interface RetainedPublicId {
  readonly id: string;
  readonly public_id: string;
  readonly delivery_type: string;
  readonly retained_at: string;
}

/** `GET /admin/usage`. */
export interface Usage {
  readonly hours: readonly UsageHour[];
}

export interface UsageHour {
  readonly hour: string;
  readonly redirects: number;
  readonly refusals: number;
}

type Row = Readonly<Record<string, unknown>>;

export interface AuditEntry {
  readonly id: string;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly row_id: string | null;
  readonly issuer_id: string | null;
  readonly before: Row | null;
  readonly after: Row | null;
  readonly request_id: string | null;
}

const NO_ANSWER: Problem = { status: 0, code: 'no_answer', detail: 'The service does not respond.' };
/** Marks a request as the console's own: no other site's page may add it. */
const CONSOLE_HEADERS = { 'X-Pixseal-Console': '1' };

/** Dispatches an event when the session expires, or its admin key becomes invalid. */
export const sessionEnd = new EventTarget();

function judge<T>(status: number, body: unknown): ServiceResponse<T> {
  if (status >= 200 && status < 300) return { ok: body as T };
  const problem = body as Problem;
  if (problem.code === 'admin_key_required') sessionEnd.dispatchEvent(new Event('end'));
  return { problem };
}

/** Sends a request to the service. @throws if aborted. */
export async function request<T>(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  { body, signal }: { readonly body?: unknown; readonly signal?: AbortSignal } = {},
): Promise<ServiceResponse<T>> {
  try {
    const response = await fetch(path, {
      method,
      headers: { ...CONSOLE_HEADERS, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
    return judge(response.status, response.status === 204 ? null : await response.json());
  } catch (error) {
    if (signal?.aborted === true) throw error;
    return { problem: NO_ANSWER };
  }
}

/** Uploads a form with a file. @param onProgress Called with the part that is sent, 0 to 1. */
export function upload<T>(
  method: 'POST' | 'PUT',
  path: string,
  form: FormData,
  onProgress: (part: number) => void,
): Promise<ServiceResponse<T>> {
  // fetch() does not report the progress of an upload.
  const request = new XMLHttpRequest();
  return new Promise((resolve) => {
    request.upload.onprogress = ({ loaded, total }) => {
      onProgress(total > 0 ? loaded / total : 0);
    };
    request.onerror = () => {
      resolve({ problem: NO_ANSWER });
    };
    request.onload = () => {
      try {
        resolve(judge(request.status, JSON.parse(request.responseText)));
      } catch {
        resolve({ problem: { ...NO_ANSWER, status: request.status } });
      }
    };
    request.open(method, path);
    for (const [name, value] of Object.entries(CONSOLE_HEADERS)) request.setRequestHeader(name, value);
    request.send(form);
  });
}

export type Session = SessionDocument;

export const findSession = (): Promise<ServiceResponse<SessionResponse>> =>
  request('GET', '/console/session');

export const signIn = (key: string): Promise<ServiceResponse<SessionResponse>> =>
  request('POST', '/console/session', { body: { key } });

export const signOut = (): Promise<ServiceResponse<null>> => request('DELETE', '/console/session');

/** A path under `/admin` with a query; empty values are omitted. */
export function adminPath(path: string, query: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(query).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  );
  const search = new URLSearchParams(given).toString();
  return `/admin/${path}${search === '' ? '' : `?${search}`}`;
}
