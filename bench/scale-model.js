// The model of docs/scale.md: what replicas cost one Postgres, from constants that bench/scale.js measures.

/** Assumptions; docs/scale.md states them. */
export const ASSUMED = {
  redirectsPerDay: 1e9,
  /** Peak to mean. */
  peak: 3,
  /** Of a process's core that is planned for. */
  share: 0.5,
  /** Images in use, equally often, at every replica: what its cache can hold. */
  images: 50_000,
  /** Another number of them, for comparison. */
  fewImages: 5_000,
  /** Seconds after which a cached row is loaded again: `LIVE` in `src/directory/directory.service.ts`. */
  rowLifetime: 60,
  /** Rows changed a second, revocations included. */
  changes: 10,
  /** Of a replica: its pool's bound, `POOL_SIZE` in `src/platform/database/data-source.ts`, and the listener. */
  connections: 11,
  /** Postgres's default `max_connections`, and what it reserves for superusers. */
  maxConnections: 100,
  reservedConnections: 3,
  /** Cores of the server, of which half are planned for. */
  serverCores: 8,
};

/**
 * Constants; times are seconds of processor.
 * @typedef {object} Constants
 * @property {number} redirect Of a replica, for a cached redirect.
 * @property {number} lookUp Of the server, for a row that is not cached.
 * @property {number} heartbeat Of the server, for a heartbeat.
 * @property {Line} change Of the server, for a changed row.
 * @property {number} statements A second, by an idle replica.
 * @property {number} backendMemory MiB of a connection's process.
 */

/** `fixed + each × listeners`. @typedef {{ fixed: number, each: number }} Line */

/** The line with the least relative error. @param {{ x: number, y: number }[]} points @returns {Line} */
export function fitLine(points) {
  const sum = (/** @type {(point: { x: number, y: number }) => number} */ of) =>
    points.reduce((total, point) => total + of(point), 0);
  const [w, wx, wxx] = [0, 1, 2].map((power) => sum(({ x, y }) => x ** power / y ** 2));
  const [wy, wxy] = [0, 1].map((power) => sum(({ x, y }) => x ** power / y));
  const each = (w * wxy - wx * wy) / (w * wxx - wx ** 2);
  return { fixed: Math.max(0, (wy - each * wx) / w), each };
}

const at = (/** @type {Line} */ line, /** @type {number} */ listeners) => line.fixed + line.each * listeners;

/** Redirects a second at the peak. */
export const peakRate = () => (ASSUMED.redirectsPerDay * ASSUMED.peak) / 86_400;

/** Processes that serve the peak. @param {Constants} constants */
export const processesNeeded = ({ redirect }) => Math.ceil((peakRate() * redirect) / ASSUMED.share);

/** Rows loaded a second by all replicas: when their lifetime is over, and after each change. */
function lookUpRate(/** @type {number} */ replicas, /** @type {number} */ images) {
  const { rowLifetime, changes } = ASSUMED;
  const expired = peakRate() / (1 + (rowLifetime * peakRate()) / (replicas * images));
  return Math.min(peakRate(), expired + changes * replicas);
}

/** What so many replicas cost the server at the peak. @param {Constants} constants @param {number} replicas */
export function predict(constants, replicas) {
  const { images, fewImages, changes } = ASSUMED;
  const lookUps = lookUpRate(replicas, images);
  const fewLookUps = lookUpRate(replicas, fewImages);
  const cores = {
    lookUps: lookUps * constants.lookUp,
    fewLookUps: fewLookUps * constants.lookUp,
    heartbeats: replicas * constants.statements * constants.heartbeat,
    changes: changes * at(constants.change, replicas),
  };
  return {
    replicas,
    redirects: peakRate() / replicas,
    lookUps,
    fewLookUps,
    connections: replicas * ASSUMED.connections,
    memory: replicas * ASSUMED.connections * constants.backendMemory,
    cores: { ...cores, all: cores.lookUps + cores.heartbeats + cores.changes },
  };
}

/** @typedef {ReturnType<typeof predict>} Prediction */

/** The fewest replicas of which the prediction is true; Infinity if more than 10,000. */
export function fewest(
  /** @type {Constants} */ constants,
  /** @type {(prediction: Prediction) => boolean} */ isTrue,
) {
  for (let replicas = 1; replicas <= 10_000; replicas += 1)
    if (isTrue(predict(constants, replicas))) return replicas;
  return Infinity;
}
