import type { JSX } from 'preact';
import { ConfirmButton, Facts, Timestamp, Pager, ProblemNote } from './parts.js';
import { adminPath, request, type RetainedPublicId } from './service.js';
import { useRights } from './session-context.js';
import { usePaged } from './use-service.js';

/** Public ids of an issuer's deleted and renamed rows, whose assets may still be in the account. */
export function RetainedPublicIdsSection({ issuerId }: { readonly issuerId: string }): JSX.Element {
  const path = 'retained-public-ids';
  const list = usePaged<RetainedPublicId>(adminPath(path, { limit: '25', issuer_id: issuerId }));
  const { writeIssuers } = useRights();
  return (
    <section class="card stack" aria-labelledby="retained-title">
      <h2 id="retained-title">Retained public ids</h2>
      <p class="hint">
        No image or overlay uses them any more, but the account may still contain their originals. No other
        issuer can register them.
      </p>
      <ProblemNote problem={list.problem} />
      <ul class="rows" aria-label="Retained public ids" aria-busy={list.busy}>
        {list.value?.items.map(({ id, public_id: publicId, delivery_type: type, retained_at: at }) => (
          <li key={id} class="inner">
            <div class="section-head">
              <span class="code wrap-anywhere">{publicId}</span>
              {writeIssuers && (
                <ConfirmButton
                  label="Release"
                  of={publicId}
                  question="Release this public id?"
                  consequence="Any issuer can then register it, and show the original if the account still contains it."
                  act={() => request('DELETE', adminPath(`${path}/${id}`))}
                  onDone={list.reload}
                />
              )}
            </div>
            <Facts
              facts={[
                ['Delivery type', type],
                ['Retained', <Timestamp key="at" at={at} />],
              ]}
            />
          </li>
        ))}
      </ul>
      {list.value?.items.length === 0 && <p class="hint">No retained public ids.</p>}
      <Pager list={list} name="retained public ids" />
    </section>
  );
}
