import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Field } from '../design/field.js';
import { decodeToken, type DecodedToken, UnreadableTokenError } from '../playground/token.js';
import { Facts, ProblemNote, Timestamp } from './parts.js';
import {
  adminPath,
  type Asset,
  type IssuerWithKeys,
  type Page,
  request,
  type Revocation,
  type ServiceResponse,
} from './service.js';
import { useAnnounce } from './session-context.js';
import { hrefTo } from './use-route.js';

/** `GET /images/:image_id/explain`. */
interface Explanation {
  readonly image_id: string;
  readonly placeholder_id: string | null;
  readonly key_id: string | null;
  readonly location: string;
}

/** What the service reports of a token. */
interface TokenLife {
  readonly explained: ServiceResponse<Explanation>;
  /** Null if no issuer that the admin key may see has this id. */
  readonly issuer: IssuerWithKeys | null;
  readonly image: Asset | null;
  /** The revocations of its `jti` and its session. */
  readonly revocations: readonly Revocation[];
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const okOf = <T,>(response: ServiceResponse<T> | null): T | null =>
  response !== null && 'ok' in response ? response.ok : null;
/** A claim in seconds since 1970, as RFC 3339. */
const instantOf = (value: unknown): string | null =>
  typeof value === 'number' && Math.abs(value) <= 8.64e12 ? new Date(value * 1_000).toISOString() : null;

async function readLife({ token, claims, pathId }: DecodedToken, signal: AbortSignal): Promise<TokenLife> {
  const imageId = textOf(claims['image_id']) ?? pathId;
  const get = <T,>(path: string): Promise<ServiceResponse<T>> => request('GET', path, { signal });
  const issuerPath = `issuers/${encodeURIComponent(textOf(claims['iss']) ?? 'none')}`;
  const names = { jti: textOf(claims['jti']), session_id: textOf(claims['session_id']) };
  const [explained, issuer, image, ...revoked] = await Promise.all([
    get<Explanation>(
      `/images/${encodeURIComponent(imageId ?? 'any')}/explain?token=${encodeURIComponent(token)}`,
    ),
    get<IssuerWithKeys>(adminPath(issuerPath)),
    imageId === null ? null : get<Asset>(adminPath(`images/${encodeURIComponent(imageId)}`)),
    ...Object.entries(names).map(([name, value]) =>
      value === null
        ? null
        : get<Page<Revocation>>(adminPath(`${issuerPath}/revocations`, { [name]: value })),
    ),
  ]);
  return {
    explained,
    issuer: okOf(issuer),
    image: okOf(image),
    revocations: revoked.flatMap((page) => okOf(page)?.items ?? []),
  };
}

/** The life of one token: what it shows, who signed it, when it is valid, whether it is revoked, why it is refused. */
export function TokenView(): JSX.Element {
  const [typed, setTyped] = useState('');
  const [life, setLife] = useState<TokenLife | null>(null);
  const announce = useAnnounce();
  const decoded = decode(typed);
  const token = decoded instanceof UnreadableTokenError ? null : decoded;
  useEffect(() => {
    setLife(null);
    if (token === null) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      readLife(token, abort.signal).then(
        (read) => {
          setLife(read);
          announce('ok' in read.explained ? 'The token is valid.' : 'The token is refused.');
        },
        () => undefined,
      );
    }, 250);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [typed]);
  return (
    <div class="stack">
      <h1>Token</h1>
      <Field label="Token, or a link with one" help="It is sent to this service, as at any use.">
        {({ id, describedBy }) => (
          <textarea
            id={id}
            class="input code"
            rows={4}
            value={typed}
            aria-describedby={describedBy}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => {
              setTyped(event.currentTarget.value);
            }}
          />
        )}
      </Field>
      {decoded instanceof UnreadableTokenError && (
        <p class="note note-bad" role="alert">
          {decoded.message}
        </p>
      )}
      {token !== null && life !== null && <Life token={token} life={life} />}
    </div>
  );
}

function decode(typed: string): DecodedToken | UnreadableTokenError | null {
  if (typed.trim() === '') return null;
  try {
    return decodeToken(typed);
  } catch (error) {
    if (error instanceof UnreadableTokenError) return error;
    throw error;
  }
}

function Life({ token, life }: { readonly token: DecodedToken; readonly life: TokenLife }): JSX.Element {
  const { explained, issuer, image, revocations } = life;
  const { claims } = token;
  const explanation = okOf(explained);
  const key = issuer?.keys.find(({ id }) => id === (explanation?.key_id ?? token.header['kid']));
  const facts: [string, ComponentChildren][] = [
    ['Issuer', issuer === null ? (textOf(claims['iss']) ?? 'none') : issuerLink(issuer)],
    [
      'Signed by key',
      <span key="key" class="code">
        {explanation?.key_id ?? 'not verified'}
      </span>,
    ],
    ['Issued', <Timestamp key="iat" at={instantOf(claims['iat'])} none="not given" />],
    [
      'Valid from',
      <Timestamp key="nbf" at={later(instantOf(claims['nbf']), key?.not_before)} none="at once" />,
    ],
    ['Valid to', <Timestamp key="exp" at={earlier(instantOf(claims['exp']), key?.not_after)} />],
    ['Revoked', revocations.length > 0 ? 'yes' : issuer === null ? 'unknown' : 'no'],
  ];
  return (
    <section class="card stack" aria-label="The token’s life">
      <h2>{explanation === null ? 'Refused' : 'Valid'}</h2>
      {'problem' in explained && (
        <>
          <ProblemNote problem={explained.problem} />
          <Reasons reasons={reasonsOf(token, life)} />
        </>
      )}
      <Facts facts={facts} />
      {explanation !== null && (
        <>
          <div class="preview">
            <span class="thumbnail">
              <img src={explanation.location} alt="What the link shows" decoding="async" />
            </span>
          </div>
          <p class="hint">
            {explanation.placeholder_id !== null && 'The placeholder of the policy, instead of '}
            {image !== null && <span class="code">{image.public_id}</span>}{' '}
            <span class="code soft wrap-anywhere">{explanation.image_id}</span>
          </p>
        </>
      )}
    </section>
  );
}

const issuerLink = ({ id, name }: IssuerWithKeys): JSX.Element => (
  <a href={hrefTo(`issuers/${id}`)}>{name}</a>
);

function Reasons({ reasons }: { readonly reasons: readonly string[] }): JSX.Element | null {
  if (reasons.length === 0) return null;
  return (
    <ul class="note note-warn" aria-label="Reasons">
      {reasons.map((reason) => (
        <li key={reason}>{reason}</li>
      ))}
    </ul>
  );
}

/** What an operator may know: clients get one response for most of these. */
function reasonsOf({ claims }: DecodedToken, life: TokenLife): string[] {
  const { explained, issuer, image, revocations } = life;
  if (issuer === null) return ['No issuer has the id of its `iss`, or this key cannot see it.'];
  const issued = typeof claims['iat'] === 'number' ? claims['iat'] * 1_000 : -Infinity;
  const isBefore = (limit: string | null | undefined): boolean => limit != null && issued < Date.parse(limit);
  const reasons = [
    ...(issuer.disabled ? ['The issuer is disabled.'] : []),
    ...(isBefore(issuer.not_before) ? ['The issuer refuses tokens sealed at that time.'] : []),
    ...(isBefore(image?.not_before) ? ['The image refuses tokens sealed at that time.'] : []),
    ...revocations.map(
      ({ jti, revoked_at: at }) =>
        `${jti === null ? 'Its session' : 'The token'} was revoked on ${new Date(at).toLocaleString('en-GB')}.`,
    ),
  ];
  const isGeneric = 'problem' in explained && explained.problem.code === 'invalid_token';
  const hasExpired = typeof claims['exp'] === 'number' && claims['exp'] * 1_000 < Date.now();
  return reasons.length > 0 || !isGeneric || hasExpired
    ? reasons
    : [
        'If its claims are valid, no active key of the issuer has signed it: the key expired, was revoked, or is another.',
      ];
}

function later(one: string | null, other: string | null | undefined): string | null {
  if (one === null || other == null) return one ?? other ?? null;
  return Date.parse(one) > Date.parse(other) ? one : other;
}

function earlier(one: string | null, other: string | null | undefined): string | null {
  if (one === null || other == null) return one ?? other ?? null;
  return Date.parse(one) < Date.parse(other) ? one : other;
}
