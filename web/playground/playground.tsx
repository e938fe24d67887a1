import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { VocabularyDocument } from '../../src/pages/playground/vocabulary.document.js';
import { Check, Field } from '../design/field.js';
import { Mark } from '../design/mark.js';
import { type LinkParameters, type Connection, ConnectionForm } from './connection.js';
import { newStep, type Step, text, toTransformations } from './composition.js';
import { tabId, Tabs } from './controls.js';
import { newTextLayer } from './parameter-control.js';
import { Reader } from './reader.js';
import {
  ClaimsBlock,
  TokenWarnings,
  ExplanationSections,
  ImageFigure,
  ProblemNote,
  Snippets,
} from './result.js';
import { loadVocabulary, type Problem, type Row, sealedPath } from './service.js';
import { ADD_STEP_ID, StepList } from './step-list.js';
import { canSeal, type Claims } from './token.js';
import { type Sealed, type ToSeal, useImage, useSealed } from './use-sealed.js';
import { OfferContext } from './vocabulary-context.js';

/** Claims beside the steps. */
interface Options {
  /** Names the image, so that the token opens no other. */
  readonly bound: boolean;
  /** Displayed in browsers, not downloaded. */
  readonly shown: boolean;
  readonly original: boolean;
  readonly lifetime: number | null;
}

const LIFETIMES: readonly (readonly [name: string, seconds: number | null])[] = [
  ['5 minutes', 300],
  ['1 hour', 3_600],
  ['1 day', 86_400],
  ['30 days', 2_592_000],
  ['never', null],
];

/** The initial steps: a size, and a watermark if there is an overlay. */
function firstSteps(overlays: readonly Row[]): readonly Step[] {
  const size = newStep({ width: text('640'), crop: text('limit') });
  const [overlay] = overlays;
  if (overlay === undefined) return [size];
  const flags = { kind: 'flags', flags: ['tiled'] } as const;
  return [size, newStep({ overlay: text(overlay.id), width: text('160'), flags })];
}

const VIEWS = ['Compose', 'Read a token'] as const;
type View = (typeof VIEWS)[number];

interface PlaygroundProps {
  readonly link: LinkParameters;
}

export function Playground({ link }: PlaygroundProps): JSX.Element {
  const [view, setView] = useState<View>('Compose');
  const [vocabulary, setVocabulary] = useState<VocabularyDocument | null>(null);
  const [trouble, setTrouble] = useState<Problem | null>(null);
  const [connection, setConnection] = useState<Connection>(link.connection);
  const [overlays, setOverlays] = useState<readonly Row[]>(link.overlays);
  const [steps, setSteps] = useState<readonly Step[]>(() => firstSteps(link.overlays));
  const [options, setOptions] = useState<Options>({
    bound: true,
    shown: true,
    original: false,
    lifetime: 3_600,
  });
  const [said, announce] = useState('');

  useEffect(() => {
    void loadVocabulary().then((response) => {
      if ('ok' in response) setVocabulary(response.ok);
      else setTrouble(response.problem);
    });
  }, []);

  const offer = useMemo(
    () => (vocabulary === null ? null : { vocabulary, overlays }),
    [vocabulary, overlays],
  );
  return (
    <>
      <header class="top">
        <p class="brand">
          <Mark /> Pixseal
        </p>
        <h1>Playground</h1>
        <Tabs label="What to do" names={VIEWS} chosen={view} onChoose={setView} panel="view" />
      </header>
      <main>
        <div id="view" role="tabpanel" aria-labelledby={tabId('view', VIEWS, view)}>
          {trouble !== null && <ProblemNote problem={trouble} />}
          {offer !== null && (
            <OfferContext.Provider value={offer}>
              {view === 'Compose' ? (
                <Composer
                  {...{
                    connection,
                    setConnection,
                    setOverlays,
                    steps,
                    setSteps,
                    options,
                    setOptions,
                    announce,
                  }}
                />
              ) : (
                <Reader
                  connection={connection}
                  announce={announce}
                  onEdit={(edited, claims) => {
                    const { iss, image_id: image } = claims;
                    setSteps(edited);
                    setConnection({
                      ...connection,
                      ...(typeof iss === 'string' && iss !== connection.issuerId
                        ? { issuerId: iss, secret: '' }
                        : {}),
                      ...(typeof image === 'string' ? { imageId: image } : {}),
                    });
                    setView('Compose');
                  }}
                />
              )}
            </OfferContext.Provider>
          )}
        </div>
      </main>
      <p class="unseen" role="status">
        {said}
      </p>
    </>
  );
}

interface ComposerProps {
  readonly connection: Connection;
  readonly setConnection: (connection: Connection) => void;
  readonly setOverlays: (overlays: readonly Row[]) => void;
  readonly steps: readonly Step[];
  readonly setSteps: (steps: readonly Step[]) => void;
  readonly options: Options;
  readonly setOptions: (options: Options) => void;
  readonly announce: (text: string) => void;
}

function claimsOf(connection: Connection, options: Options, steps: readonly Step[]): Claims {
  const sharinpix = {
    ...(options.shown ? { download: false } : {}),
    ...(options.original ? { original: true } : {}),
  };
  return {
    iss: connection.issuerId,
    ...(options.bound ? { image_id: connection.imageId } : {}),
    ...(steps.length > 0 ? { transformations: toTransformations(steps) } : {}),
    ...(Object.keys(sharinpix).length > 0 ? { sharinpix } : {}),
  };
}

/** What is missing before a token can be sealed. */
function missing({ issuerId, secret, imageId }: Connection): string | null {
  if (!canSeal())
    return 'Browsers can seal only on https or on this machine. Open this page at such an address.';
  const names = [
    ...(issuerId === '' ? ['an issuer'] : []),
    ...(secret === '' ? ['its secret'] : []),
    ...(imageId === '' ? ['an image'] : []),
  ];
  if (names.length === 0) return null;
  const demo = 'The link that Pixseal prints when it starts in embedded mode contains those of the demo.';
  return `Enter ${new Intl.ListFormat('en-GB').format(names)} to see an image. ${demo}`;
}

function Composer(props: ComposerProps): JSX.Element {
  const { connection, setConnection, setOverlays, steps, setSteps, options, setOptions, announce } = props;
  const lacking = missing(connection);
  const toSeal: ToSeal | null =
    lacking !== null
      ? null
      : {
          key: { secret: connection.secret, algorithm: connection.algorithm },
          imageId: connection.imageId,
          claims: claimsOf(connection, options, steps),
          lifetime: options.lifetime,
        };
  const { sealed, busy } = useSealed(toSeal);
  const { image, busy: loading } = useImage(sealed);
  const problem = sealed !== null && 'problem' in sealed.response ? sealed.response.problem : null;
  const explanation = sealed !== null && 'ok' in sealed.response ? sealed.response.ok : null;

  useEffect(() => {
    if (sealed !== null) announce(summaryOf(sealed));
  }, [sealed]);

  const add = (step: Step, name: string): void => {
    setSteps([...steps, step]);
    announce(`${name} added as step ${steps.length + 1}.`);
  };
  return (
    <div class="layout">
      <div class="stack">
        <section class="card" aria-label="Issuer and image">
          <ConnectionForm connection={connection} onChange={setConnection} onOverlays={setOverlays} />
        </section>
        <section class="stack" aria-labelledby="steps-title">
          <h2 id="steps-title">Steps</h2>
          {steps.length === 0 && <p class="hint">No steps: only the base chain.</p>}
          <StepList
            steps={steps}
            explained={explanation?.steps ?? []}
            problem={problem}
            onSteps={setSteps}
            announce={announce}
          />
          <div class="row wrap">
            <button
              id={ADD_STEP_ID}
              type="button"
              class="button"
              onClick={() => {
                add(newStep({ width: text(''), height: text(''), crop: text('fill') }), 'A step');
              }}
            >
              Add step
            </button>
            <button
              type="button"
              class="button"
              onClick={() => {
                add(
                  newStep({ overlay: text(''), width: text('200'), gravity: text('south_east') }),
                  'An image layer',
                );
              }}
            >
              Add image layer
            </button>
            <button
              type="button"
              class="button"
              onClick={() => {
                add(
                  newStep({ overlay: newTextLayer(), color: text('white'), gravity: text('south') }),
                  'A text layer',
                );
              }}
            >
              Add text layer
            </button>
          </div>
        </section>
        <section class="card stack" aria-label="The token">
          <h2>The token</h2>
          <OptionsForm options={options} onChange={setOptions} />
        </section>
      </div>
      <div class="result">
        <section class="card stack picture" aria-label="Image">
          {lacking !== null && <p class="note">{lacking}</p>}
          {problem !== null && <ProblemNote problem={problem} />}
          <ImageFigure
            image={image}
            explanation={explanation}
            outdated={problem !== null}
            busy={busy || loading}
          />
        </section>
        {sealed !== null && (
          <section class="card stack" aria-label="How the URL is built">
            {explanation !== null && <ExplanationSections explanation={explanation} />}
            <ClaimsBlock claims={sealed.claims} />
            {toSeal !== null && problem === null && (
              <>
                <Snippets
                  recipe={{
                    origin: window.location.origin,
                    imageId: toSeal.imageId,
                    algorithm: toSeal.key.algorithm,
                    claims: claimsOf(connection, { ...options, bound: false }, steps),
                    bound: options.bound,
                    lifetime: toSeal.lifetime,
                    token: sealed.token,
                  }}
                />
                <p>
                  <a href={sealedPath(sealed.imageId, sealed.token)} target="_blank" rel="noreferrer">
                    Open the sealed link
                  </a>
                </p>
              </>
            )}
          </section>
        )}
      </div>
    </div>
  );
}

/** A response in one sentence, for the live region. */
function summaryOf({ response }: Sealed): string {
  if ('problem' in response) {
    const { step, key, detail } = response.problem;
    return step === undefined
      ? `Refused: ${detail}`
      : `Refused at step ${step}${key === undefined ? '' : `, ${key}`}.`;
  }
  const { ignored_claims: claims, steps } = response.ok;
  const ignored = steps.reduce((count, step) => count + step.ignored.length, claims.length);
  return `Sealed. ${ignored === 0 ? 'Every key is in the chain.' : `${ignored} ignored.`}`;
}

interface OptionsFormProps {
  readonly options: Options;
  readonly onChange: (options: Options) => void;
}

function OptionsForm({ options, onChange }: OptionsFormProps): JSX.Element {
  return (
    <>
      <OptionFields options={options} onChange={onChange} />
      <TokenWarnings unbound={!options.bound} neverExpires={options.lifetime === null} />
    </>
  );
}

function OptionFields({ options, onChange }: OptionsFormProps): JSX.Element {
  return (
    <div class="columns">
      <div>
        <Check
          label="For this image only (image_id)"
          checked={options.bound}
          onChecked={(bound) => {
            onChange({ ...options, bound });
          }}
        />
        <Check
          label="Displayed, not downloaded"
          checked={options.shown}
          onChecked={(shown) => {
            onChange({ ...options, shown });
          }}
        />
        <Check
          label="The original, without steps"
          checked={options.original}
          onChecked={(original) => {
            onChange({ ...options, original });
          }}
        />
      </div>
      <Field label="Expires after (exp)">
        {({ id }) => (
          <select
            id={id}
            class="input"
            value={String(options.lifetime)}
            onInput={(event) => {
              const { value } = event.currentTarget;
              onChange({ ...options, lifetime: value === 'null' ? null : Number(value) });
            }}
          >
            {LIFETIMES.map(([name, seconds]) => (
              <option key={name} value={String(seconds)}>
                {name}
              </option>
            ))}
          </select>
        )}
      </Field>
    </div>
  );
}
