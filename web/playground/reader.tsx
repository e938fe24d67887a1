import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Connection } from './connection.js';
import { fromTransformations, type Step } from './composition.js';
import { Field } from '../design/field.js';
import { TextControl } from './controls.js';
import { ClaimsBlock, Code, TokenWarnings, ExplanationSections, ProblemNote, Section } from './result.js';
import { type ServiceResponse, explain, type Explanation } from './service.js';
import { type Claims, type DecodedToken, decodeToken, isSealedWith, UnreadableTokenError } from './token.js';

interface ReaderProps {
  readonly connection: Connection;
  readonly announce: (text: string) => void;
  readonly onEdit: (steps: readonly Step[], claims: Claims) => void;
}

type Read =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'unreadable'; readonly reason: string }
  | { readonly kind: 'token'; readonly decoded: DecodedToken };

function read(given: string): Read {
  if (given.trim() === '') return { kind: 'nothing' };
  try {
    return { kind: 'token', decoded: decodeToken(given) };
  } catch (error) {
    if (error instanceof UnreadableTokenError) return { kind: 'unreadable', reason: error.message };
    throw error;
  }
}

/** Analyses a token from elsewhere: its content, and its explanation or refusal. */
export function Reader({ connection, announce, onEdit }: ReaderProps): JSX.Element {
  const [given, setGiven] = useState('');
  const [imageId, setImageId] = useState('');
  const [response, setAnswer] = useState<ServiceResponse<Explanation> | null>(null);
  const [sealedHere, setSealedHere] = useState<boolean | null>(null);
  const token = read(given);
  const decoded = token.kind === 'token' ? token.decoded : null;
  const named = decoded?.claims['image_id'];
  const image = imageId || (typeof named === 'string' ? named : (decoded?.pathId ?? connection.imageId));

  useEffect(() => {
    const abort = new AbortController();
    const { signal } = abort;
    setAnswer(null);
    setSealedHere(null);
    if (decoded === null) return;
    const ask = async (): Promise<void> => {
      const issuers = decoded.claims['iss'] === connection.issuerId && connection.secret !== '';
      const here = issuers ? await isSealedWith(connection, decoded) : null;
      const answered = await explain(image === '' ? 'any' : image, decoded.token, signal);
      if (signal.aborted) return;
      setSealedHere(here);
      setAnswer(answered);
      announce('ok' in answered ? 'The token is valid.' : `Refused: ${answered.problem.detail}`);
    };
    const timer = setTimeout(() => {
      ask().catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }, 250);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [decoded?.token, image, connection]);

  const steps = decoded === null ? null : fromTransformations(decoded.claims['transformations']);
  return (
    <div class="layout">
      <section class="stack" aria-label="Token">
        <div class="card stack">
          <Field label="Token, or a URL with one" help="It is sent to this service, as on any use.">
            {({ id, describedBy }) => (
              <textarea
                id={id}
                class="input code token"
                rows={7}
                value={given}
                aria-describedby={describedBy}
                aria-invalid={token.kind === 'unreadable'}
                spellcheck={false}
                placeholder="eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9…"
                onInput={(event) => {
                  setGiven(event.currentTarget.value);
                }}
              />
            )}
          </Field>
          <Field label="Image" help="From the path. Not needed for a token that names its image.">
            {(control) => (
              <TextControl
                {...control}
                value={imageId}
                placeholder={image || 'Id of an image'}
                onValue={setImageId}
              />
            )}
          </Field>
          {decoded !== null && steps !== null && (
            <button
              type="button"
              class="button"
              onClick={() => {
                onEdit(steps, decoded.claims);
              }}
            >
              Edit its steps
            </button>
          )}
        </div>
      </section>
      <section class="stack" aria-label="Its claims">
        <div class="card stack">
          {token.kind === 'nothing' && (
            <p class="hint">Paste a token to see its claims, and whether it is valid.</p>
          )}
          {token.kind === 'unreadable' && <p class="note note-bad">{token.reason}</p>}
          {decoded !== null && (
            <>
              <Verdict response={response} claims={decoded.claims} sealedHere={sealedHere} />
              <Section title="Header">
                <Code label="The token’s header">{JSON.stringify(decoded.header)}</Code>
              </Section>
              <ClaimsBlock claims={decoded.claims} />
            </>
          )}
          {response !== null && 'ok' in response && <ExplanationSections explanation={response.ok} />}
        </div>
      </section>
    </div>
  );
}

interface VerdictProps {
  readonly response: ServiceResponse<Explanation> | null;
  readonly claims: Claims;
  /** Whether it was sealed with the page's secret; null if unknown. */
  readonly sealedHere: boolean | null;
}

/** Whether the token is valid, and what this page knows about it. */
function Verdict({ response, claims, sealedHere }: VerdictProps): JSX.Element {
  const times = ['iat', 'nbf', 'exp'].flatMap((name) => {
    const seconds = claims[name];
    return typeof seconds === 'number' ? [{ name, seconds }] : [];
  });
  return (
    <div class="stack-tight" aria-live="polite">
      {response === null && <p class="hint">Loading…</p>}
      {response !== null && 'ok' in response && (
        <p class="note note-good">The token is valid: the service accepts it.</p>
      )}
      {response !== null && 'problem' in response && <ProblemNote problem={response.problem} />}
      {sealedHere !== null && (
        <p class={sealedHere ? 'note' : 'note note-warn'}>
          {sealedHere
            ? 'It was sealed with the secret entered under Compose.'
            : 'It was not sealed with the secret entered under Compose: the token was changed, or sealed with another secret.'}
        </p>
      )}
      {times.map(({ name, seconds }) => (
        <p key={name} class="hint">
          <span class="code">{name}</span>: {formatTime(seconds)}
        </p>
      ))}
      <TokenWarnings unbound={claims['image_id'] === undefined} neverExpires={claims['exp'] === undefined} />
    </div>
  );
}

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const absolute = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;

/** A time in the reader's format. */
function formatTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return `${seconds}, which is not a valid time`;
  const away = seconds - Date.now() / 1000;
  const [unit, length] = UNITS.find(([, each]) => Math.abs(away) >= each) ?? UNITS[3];
  return `${absolute.format(date)}, ${relative.format(Math.round(away / length), unit)}`;
}
