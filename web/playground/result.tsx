import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { CopyButton } from '../design/copy-button.js';
import { FormattedText } from '../design/formatted-text.js';
import { tabId, Tabs } from './controls.js';
import type { ServiceResponse, Explanation, LoadedImage, Problem } from './service.js';
import { type Recipe, SNIPPET_NAMES, type SnippetName, SNIPPETS } from './snippets.js';
import type { Claims } from './token.js';

interface ImageFigureProps {
  readonly image: ServiceResponse<LoadedImage> | null;
  readonly explanation: Explanation | null;
  /** Whether the image belongs to an earlier token, because the last one was refused. */
  readonly outdated: boolean;
  readonly busy: boolean;
}

/** The image, and its properties. */
export function ImageFigure({ image, explanation, outdated, busy }: ImageFigureProps): JSX.Element {
  const [size, setSize] = useState<string | null>(null);
  const [broken, setBroken] = useState<string | null>(null);
  const shown = image !== null && 'ok' in image ? image.ok : null;
  const problem = image !== null && 'problem' in image ? image.problem : null;
  const blank = explanation?.location.includes('/assets/blank.jpg#') === true;
  return (
    <figure class="stack-tight" aria-busy={busy}>
      <div class="stage" data-busy={busy}>
        {shown !== null && problem === null ? (
          <img
            key={shown.src}
            src={shown.src}
            alt="The sealed image"
            onLoad={(event) => {
              const { naturalWidth, naturalHeight } = event.currentTarget;
              setSize(`${naturalWidth} × ${naturalHeight}`);
              setBroken(null);
            }}
            onError={() => {
              setBroken(shown.src);
            }}
          />
        ) : (
          <p class="hint">{problem === null ? 'The image appears here.' : 'No image.'}</p>
        )}
      </div>
      {problem !== null && (
        <p class="note note-bad">
          <FormattedText text={problem.detail} />
        </p>
      )}
      {shown !== null && broken === shown.src && (
        <p class="note note-bad">The browser could not load an image from the redirect’s target.</p>
      )}
      {shown !== null && problem === null && (
        <figcaption class="hint figures">
          {outdated && <span>The last image that was not refused</span>}
          {size !== null && <span>{size}</span>}
          {shown.type !== null && <span>{shown.type.replace('image/', '')}</span>}
          {shown.bytes !== null && <span>{(shown.bytes / 1000).toFixed(1)} kB</span>}
          {blank && <span>mode blank: a blank image replaces every image</span>}
          {shown.approximate !== null && (
            <span>This machine’s renderer approximates {shown.approximate}</span>
          )}
        </figcaption>
      )}
    </figure>
  );
}

interface ChainProps {
  readonly explanation: Explanation;
}

/** The chain, component by component, each with its source. */
function Chain({ explanation: { base_chain, steps, mandatory_chain } }: ChainProps): JSX.Element {
  const components = [
    ...base_chain.map((component) => ({ component, from: 'base chain' })),
    ...steps
      .filter(({ component }) => component !== '')
      .map(({ component, step, preset }) => ({
        component,
        from: preset === undefined ? `step ${step}` : `step ${step}, ${preset}`,
      })),
    ...mandatory_chain.map((component) => ({ component, from: 'policy' })),
  ];
  if (components.length === 0) return <p class="hint">Empty: the original, in the format of the URL.</p>;
  return (
    <ol class="chain">
      {components.map(({ component, from }, index) => (
        <li key={`${index} ${component}`} data-own={from.startsWith('step')}>
          <span class="code">{component}</span>
          <span class="hint">{from}</span>
        </li>
      ))}
    </ol>
  );
}

function IgnoredNames({ explanation: { ignored_claims: claims, steps } }: ChainProps): JSX.Element {
  const ignored = [
    ...claims.map(({ claim, ...why }) => ({ place: 'token', name: claim, ...why })),
    ...steps.flatMap(({ step, ignored: keys }) =>
      keys.map(({ key, ...why }) => ({ place: `${step}`, name: key, ...why })),
    ),
  ];
  if (ignored.length === 0) return <p class="hint">None: every key is in the chain.</p>;
  return (
    <table class="table">
      <thead>
        <tr>
          <th scope="col">Step</th>
          <th scope="col">Name</th>
          <th scope="col">Why it has no effect</th>
        </tr>
      </thead>
      <tbody>
        {ignored.map(({ place, name, reason, near }) => (
          <tr key={`${place} ${name} ${reason}`}>
            <td>{place}</td>
            <td class="code">{name}</td>
            <td>
              <FormattedText text={near === undefined ? reason : `${reason}; did you mean \`${near}\`?`} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A refusal, in the service's own words. */
export function ProblemNote({ problem }: { readonly problem: Problem }): JSX.Element {
  return (
    <div class="note note-bad" data-code={problem.code}>
      <p>
        <strong>
          {problem.status === 0 ? 'No response' : problem.status} <span class="code">{problem.code}</span>
        </strong>
      </p>
      <p>
        <FormattedText text={problem.detail} />
      </p>
    </div>
  );
}

interface SectionProps {
  readonly title: string;
  readonly copy?: string;
  readonly children: JSX.Element | readonly JSX.Element[];
}

/** A part of the result under its heading, with a button that copies it. */
export function Section({ title, copy, children }: SectionProps): JSX.Element {
  return (
    <section class="stack-tight" aria-label={title}>
      <div class="section-head">
        <h3>{title}</h3>
        {copy !== undefined && <CopyButton text={copy} name={title} />}
      </div>
      {children}
    </section>
  );
}

/** Preformatted text, which scrolls if it is too wide. */
export function Code({
  children,
  label,
}: {
  readonly children: string;
  readonly label: string;
}): JSX.Element {
  return (
    <pre class="block" tabIndex={0} role="region" aria-label={label}>
      {children}
    </pre>
  );
}

export function ClaimsBlock({ claims }: { readonly claims: Claims }): JSX.Element {
  const written = JSON.stringify(claims, null, 2);
  return (
    <Section title="Claims" copy={written}>
      <Code label="The token’s claims">{written}</Code>
    </Section>
  );
}

interface TokenWarningsProps {
  /** Whether the token names no image. */
  readonly unbound: boolean;
  /** Whether the token has no `exp`. */
  readonly neverExpires: boolean;
}

/** Warns if a token opens more than one image, or is valid for more than a day. */
export function TokenWarnings({ unbound, neverExpires }: TokenWarningsProps): JSX.Element {
  return (
    <>
      {unbound && (
        <p class="note note-warn">
          This token opens every image of the issuer: it has no <span class="code">image_id</span>.
        </p>
      )}
      {neverExpires && (
        <p class="note note-warn">
          This token never expires: it has no <span class="code">exp</span>.
        </p>
      )}
    </>
  );
}

/** Everything in an explanation except the image. */
export function ExplanationSections({ explanation }: ChainProps): JSX.Element {
  const { base_chain, steps, mandatory_chain } = explanation;
  const chain = [...base_chain, ...steps.map(({ component }) => component), ...mandatory_chain]
    .filter((component) => component !== '')
    .join('/');
  return (
    <>
      <Section title="Chain" copy={chain}>
        <Chain explanation={explanation} />
      </Section>
      <Section title="Ignored">
        <IgnoredNames explanation={explanation} />
      </Section>
      <Section title="Signed URL" copy={explanation.url}>
        <p class="block wrap">{explanation.url}</p>
      </Section>
    </>
  );
}

/** The token as code that seals it. */
export function Snippets({ recipe }: { readonly recipe: Recipe }): JSX.Element {
  const [chosen, choose] = useState<SnippetName>('<img>');
  const snippet = SNIPPETS[chosen](recipe);
  return (
    <section class="stack-tight" aria-label="Use it">
      <div class="section-head">
        <h3>Use it</h3>
        <CopyButton text={snippet} name={`as ${chosen}`} />
      </div>
      <Tabs label="Language" names={SNIPPET_NAMES} chosen={chosen} onChoose={choose} panel="snippet" />
      <div id="snippet" role="tabpanel" aria-labelledby={tabId('snippet', SNIPPET_NAMES, chosen)}>
        <Code label={`Code: ${chosen}`}>{snippet}</Code>
      </div>
    </section>
  );
}
