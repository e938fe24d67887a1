import type { JSX } from 'preact';
import { useId, useRef, useState } from 'preact/hooks';
import { lineAt, lineOfMember } from './json-lines.js';
import { ProblemNote } from './parts.js';
import { adminPath, request, type Fault, type IssuerWithKeys, type Problem } from './service.js';
import { useAnnounce, useRights } from './session-context.js';
import { useMutation } from './use-service.js';
import { FormattedText } from '../design/formatted-text.js';
import { findRepeatedName, REPEATED } from '../../src/tokens/repeated-name.js';
import { parseWithShares } from '../../src/tokens/share-json.js';

interface PolicySectionProps {
  readonly issuer: IssuerWithKeys;
  readonly onChange: () => void;
}

/** A mistake in a policy, and its line. */
interface Mistake extends Fault {
  readonly line: number | null;
}

const FEWEST_LINES = 4;
const written = (policy: object): string => JSON.stringify(policy, null, 2);

function mistakeOfJson(json: string, error: unknown): Mistake {
  const detail = error instanceof Error ? error.message : 'It is not JSON.';
  const [, position] = /position (\d+)/.exec(detail) ?? [];
  return { key: 'JSON', detail, line: position === undefined ? null : lineAt(json, Number(position)) };
}

/** Faults are named by the request's member: `policy.max_width`. */
function locateFault(json: string, { key, detail }: Fault): Mistake {
  const path = key.replace(/^policy\./, '');
  return { key: path, detail, line: lineOfMember(json, path.split('.')[0] ?? '') };
}

interface PolicyDraft {
  readonly json: string;
  readonly setJson: (json: string) => void;
  readonly mistakes: readonly Mistake[];
  /** The policy as sent; null if the text is not JSON, which is then marked. */
  readonly read: () => { readonly policy: unknown } | null;
  /** Marks the policy's faults that a refusal names. */
  readonly mark: (problem: Problem) => void;
}

/** A policy that is being edited. */
export function usePolicyDraft(policy: object): PolicyDraft {
  const [json, setJson] = useState(() => written(policy));
  const [mistakes, setMistakes] = useState<readonly Mistake[]>([]);
  return {
    json,
    setJson,
    mistakes,
    read: () => {
      try {
        const parsed = parseWithShares(json);
        const repeated = findRepeatedName(json);
        if (repeated !== null) {
          setMistakes([locateFault(json, { key: repeated, detail: REPEATED })]);
          return null;
        }
        setMistakes([]);
        return { policy: parsed };
      } catch (error) {
        setMistakes([mistakeOfJson(json, error)]);
        return null;
      }
    },
    mark: ({ errors = [] }) => {
      const found = errors
        .filter(({ key }) => /^policy\b/.test(key))
        .map((fault) => locateFault(json, fault));
      setMistakes(found.toSorted((one, other) => (one.line ?? 0) - (other.line ?? 0)));
    },
  };
}

/** A policy as JSON, with line numbers. Mistakes are marked at their lines, and described below. */
export function PolicyEditor({ draft }: { readonly draft: PolicyDraft }): JSX.Element {
  const { json, setJson, mistakes } = draft;
  const area = useRef<HTMLTextAreaElement>(null);
  const id = useId();
  const lines = json.split('\n');
  const bad = new Set(mistakes.map(({ line }) => line));

  const show = (line: number): void => {
    const start = lines.slice(0, line - 1).reduce((length, each) => length + each.length + 1, 0);
    area.current?.focus();
    area.current?.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  };

  return (
    <>
      <div class="editor">
        <ol class="gutter" aria-hidden="true">
          {lines.map((_, index) => (
            // Lines are identified by their number.
            <li key={index} data-bad={bad.has(index + 1)}>
              {index + 1}
            </li>
          ))}
        </ol>
        <textarea
          ref={area}
          class="code"
          aria-label="Policy as JSON"
          aria-invalid={mistakes.length > 0}
          aria-describedby={mistakes.length > 0 ? id : undefined}
          rows={Math.max(FEWEST_LINES, lines.length)}
          wrap="off"
          spellcheck={false}
          autocapitalize="off"
          value={json}
          onInput={(event) => {
            setJson(event.currentTarget.value);
          }}
        />
      </div>
      {mistakes.length > 0 && (
        <div id={id} role="alert">
          <ul class="stack-tight" aria-label="Mistakes">
            {mistakes.map(({ key, detail, line }) => (
              <li key={`${key} ${detail}`} class="note note-bad">
                {line !== null && (
                  <button
                    type="button"
                    class="link"
                    onClick={() => {
                      show(line);
                    }}
                  >
                    Line {line}
                  </button>
                )}{' '}
                <span class="code">{key}</span> <FormattedText text={detail} />
              </li>
            ))}
          </ul>
        </div>
      )}
    </>
  );
}

/** An issuer's policy, editable with a key that may write. */
export function PolicySection({ issuer, onChange }: PolicySectionProps): JSX.Element {
  const { writeIssuers } = useRights();
  const draft = usePolicyDraft(issuer.policy);
  const announce = useAnnounce();
  const { busy, problem, run } = useMutation();

  const save = async (): Promise<void> => {
    const body = draft.read();
    if (body === null) return;
    const result = await run(async () => {
      const response = await request<IssuerWithKeys>('PATCH', adminPath(`issuers/${issuer.id}`), { body });
      if ('problem' in response) draft.mark(response.problem);
      return response;
    });
    if (result === null) return;
    draft.setJson(written(result.done.policy));
    announce('The policy is saved.');
    onChange();
  };

  return (
    <section class="card stack" aria-labelledby="policy-title">
      <h2 id="policy-title">Policy</h2>
      <p class="hint">
        The policy of its tokens, as JSON; <span class="code">{'{}'}</span> restricts nothing.
      </p>
      {writeIssuers ? (
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault();
            void save();
          }}
        >
          <PolicyEditor draft={draft} />
          {draft.mistakes.length === 0 && <ProblemNote problem={problem} />}
          <div class="row">
            <button class="button button-primary" aria-disabled={busy}>
              Save policy
            </button>
          </div>
        </form>
      ) : (
        <pre class="block" tabIndex={0} aria-label="Policy as JSON">
          {draft.json}
        </pre>
      )}
    </section>
  );
}
