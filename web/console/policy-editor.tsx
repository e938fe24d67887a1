import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { lineAt, lineOfMember } from './json-lines.js';
import { ProblemNote } from './parts.js';
import { adminPath, ask, type Fault, type IssuerWithKeys } from './service.js';
import { useAnnounce, useRights } from './session-context.js';
import { useDeed } from './use-service.js';
import { Told } from '../design/told.js';
import { parseWithShares } from '../../src/tokens/share-json.js';

interface PolicySectionProps {
  readonly issuer: IssuerWithKeys;
  readonly onChange: () => void;
}

/** What is wrong with a policy, and in which line. */
interface Mistake extends Fault {
  readonly line: number | null;
}

const FEWEST_LINES = 4;
const written = (policy: object): string => JSON.stringify(policy, null, 2);

function mistakeOfJson(json: string, error: unknown): Mistake {
  const detail = error instanceof Error ? error.message : 'It is no JSON.';
  const [, position] = /position (\d+)/.exec(detail) ?? [];
  return { key: 'JSON', detail, line: position === undefined ? null : lineAt(json, Number(position)) };
}

/** Faults are named by the request's member: `policy.max_width`. */
function placed(json: string, { key, detail }: Fault): Mistake {
  const path = key.replace(/^policy\./, '');
  return { key: path, detail, line: lineOfMember(json, path.split('.')[0] ?? '') };
}

/** An issuer's policy as JSON. Mistakes are marked at their lines, and named below. */
export function PolicySection({ issuer, onChange }: PolicySectionProps): JSX.Element {
  const { writeIssuers } = useRights();
  const [json, setJson] = useState(() => written(issuer.policy));
  const [mistakes, setMistakes] = useState<readonly Mistake[]>([]);
  const announce = useAnnounce();
  const area = useRef<HTMLTextAreaElement>(null);
  const { busy, problem, run } = useDeed();
  const lines = json.split('\n');
  const bad = new Set(mistakes.map(({ line }) => line));

  const save = async (): Promise<void> => {
    let policy: unknown;
    try {
      policy = parseWithShares(json);
    } catch (error) {
      setMistakes([mistakeOfJson(json, error)]);
      return;
    }
    setMistakes([]);
    const result = await run(async () => {
      const answer = await ask<IssuerWithKeys>('PATCH', adminPath(`issuers/${issuer.id}`), {
        body: { policy },
      });
      if ('problem' in answer) {
        const found = (answer.problem.errors ?? []).map((fault) => placed(json, fault));
        setMistakes(found.toSorted((one, other) => (one.line ?? 0) - (other.line ?? 0)));
      }
      return answer;
    });
    if (result === null) return;
    setJson(written(result.done.policy));
    announce('The policy is saved.');
    onChange();
  };

  const show = (line: number): void => {
    const start = lines.slice(0, line - 1).reduce((length, each) => length + each.length + 1, 0);
    area.current?.focus();
    area.current?.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  };

  return (
    <section class="card stack" aria-labelledby="policy-title">
      <h2 id="policy-title">Policy</h2>
      <p class="hint">
        What its tokens may do, as JSON; <span class="code">{'{}'}</span> restricts nothing.
      </p>
      {writeIssuers ? (
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault();
            void save();
          }}
        >
          <div class="editor">
            <ol class="gutter" aria-hidden="true">
              {lines.map((_, index) => (
                // Lines have no name but their number.
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
              aria-describedby={mistakes.length > 0 ? 'policy-mistakes' : undefined}
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
            <div id="policy-mistakes" role="alert">
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
                    <span class="code">{key}</span> <Told text={detail} />
                  </li>
                ))}
              </ul>
            </div>
          )}
          {mistakes.length === 0 && <ProblemNote problem={problem} />}
          <div class="row">
            <button class="button button-primary" aria-disabled={busy}>
              Save policy
            </button>
          </div>
        </form>
      ) : (
        <pre class="block" tabIndex={0} aria-label="Policy as JSON">
          {json}
        </pre>
      )}
    </section>
  );
}
