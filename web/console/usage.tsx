import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Choice, IssuerChoice, ProblemNote, Timestamp } from './parts.js';
import { adminPath, type Usage, type UsageHour } from './service.js';
import { hrefTo } from './use-route.js';
import { useQuery } from './use-service.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const RANGES = [
  ['1', 'The past 24 hours'],
  ['7', 'The past 7 days'],
] as const;
const NUMBER = new Intl.NumberFormat('en-GB');
/** Units of the drawing, which is stretched to the width of the page. */
const HEIGHT = 100;
const BAR = 4;

/** The usage of one issuer, or of all that the key may see. */
export function UsageView({ query }: { readonly query: Readonly<Record<string, string>> }): JSX.Element {
  const { issuer_id: issuerId = '' } = query;
  return (
    <div class="stack">
      <h1>Usage</h1>
      <div class="row filter">
        <IssuerChoice
          none="All issuers"
          value={issuerId}
          onValue={(issuer) => {
            window.location.hash = hrefTo('usage', { issuer_id: issuer });
          }}
        />
      </div>
      <UsageSection issuerId={issuerId} />
    </div>
  );
}

/** A chart of redirects and refusals by hour, with the same as a table. @param issuerId Empty for all issuers. */
export function UsageSection({ issuerId }: { readonly issuerId: string }): JSX.Element {
  const [days, setDays] = useState('1');
  // To the hour, so that a later render requests the same.
  const to = Math.ceil(Date.now() / HOUR) * HOUR;
  const from = new Date(to - Number(days) * DAY).toISOString();
  const { value, problem, busy } = useQuery<Usage>(adminPath('usage', { issuer_id: issuerId, from }));
  return (
    <section class="card stack" aria-labelledby="usage" aria-busy={busy}>
      <div class="section-head wrap">
        <h2 id="usage">Redirects and refusals</h2>
        <Choice label="Range" value={days} onValue={setDays} options={RANGES} />
      </div>
      <ProblemNote problem={problem} />
      {value !== null && <Chart hours={value.hours} />}
    </section>
  );
}

function describe(count: number, noun: string): string {
  return `${NUMBER.format(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function Chart({ hours }: { readonly hours: readonly UsageHour[] }): JSX.Element {
  const sum = (of: 'redirects' | 'refusals'): number => hours.reduce((total, hour) => total + hour[of], 0);
  const redirects = describe(sum('redirects'), 'redirect');
  const refusals = describe(sum('refusals'), 'refusal');
  const most = Math.max(0, ...hours.map((hour) => hour.redirects + hour.refusals));
  const heightOf = (count: number): number => (count / Math.max(1, most)) * HEIGHT;
  const counted = hours.filter((hour) => hour.redirects + hour.refusals > 0);
  return (
    <div class="stack-tight">
      <p class="row wrap hint">
        <span class="key key-redirects">{redirects}</span>
        <span class="key key-refusals">{refusals}</span>
        <span>at most {NUMBER.format(most)} in an hour</span>
      </p>
      <svg
        class="chart"
        role="img"
        aria-label={`By hour: ${redirects} and ${refusals}. The table below has the numbers.`}
        viewBox={`0 0 ${hours.length * BAR} ${HEIGHT}`}
        preserveAspectRatio="none"
      >
        {hours.map(({ hour, redirects: shown, refusals: refused }, index) => {
          const [x, width] = [index * BAR, BAR - 1];
          const [low, high] = [heightOf(shown), heightOf(refused)];
          return (
            <g key={hour}>
              <rect class="bar-redirects" x={x} y={HEIGHT - low} width={width} height={low} />
              <rect class="bar-refusals" x={x} y={HEIGHT - low - high} width={width} height={high} />
            </g>
          );
        })}
      </svg>
      <p class="row chart-ends hint">
        <Timestamp at={hours[0]?.hour ?? null} />
        <span>now</span>
      </p>
      <details>
        <summary>As a table</summary>
        {counted.length === 0 ? (
          <p class="note">No requests.</p>
        ) : (
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Hour</th>
                <th scope="col">Redirects</th>
                <th scope="col">Refusals</th>
              </tr>
            </thead>
            <tbody>
              {counted.map(({ hour, redirects: shown, refusals: refused }) => (
                <tr key={hour}>
                  <th scope="row">
                    <Timestamp at={hour} />
                  </th>
                  <td>{NUMBER.format(shown)}</td>
                  <td>{NUMBER.format(refused)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </details>
    </div>
  );
}
