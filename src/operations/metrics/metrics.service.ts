import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import { AggregatorRegistry, collectDefaultMetrics, Registry, type Metric } from 'prom-client';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { ChangeFeed } from '../../platform/database/change-feed.js';
import { RedirectCache } from '../../redirect/redirect-cache.js';
import { DatabaseLookups } from '../../directory/database-lookups.service.js';
import { DirectoryService } from '../../directory/directory.service.js';
import { requestWorkerMetrics, serveWorkerMetrics } from '../serve/worker-metrics.js';
import type { Sample } from '../../platform/observability/instruments.js';
import { Observations } from '../../platform/observability/observations.js';

/** A metric that is read when it is asked for. */
interface Instrument {
  readonly name: string;
  /** What it is, for people. */
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** What several workers' values become; their sum where absent. */
  readonly aggregator?: 'min' | 'max';
  readonly read: () => readonly Sample[];
}

/** Everything that Pixseal says of itself to Prometheus: this table is the list of its metrics. */
@Injectable()
export class MetricsService {
  private readonly registry = new Registry();

  constructor(
    private readonly observations: Observations,
    private readonly directory: DirectoryService,
    private readonly redirects: RedirectCache,
    private readonly lookups: DatabaseLookups,
    private readonly feed: ChangeFeed,
    private readonly dataSource: DataSource,
  ) {
    collectDefaultMetrics({ register: this.registry });
    for (const instrument of this.instruments()) this.registry.registerMetric(asMetric(instrument));
    serveWorkerMetrics(() => this.registry.getMetricsAsJSON());
  }

  /** The text of this process, or of all workers together. */
  async read(): Promise<string> {
    const workers = await requestWorkerMetrics();
    const registry = workers === null ? this.registry : AggregatorRegistry.aggregate([...workers]);
    return registry.metrics();
  }

  private instruments(): readonly Instrument[] {
    const { observations } = this;
    return [
      {
        name: 'pixseal_redirects_total',
        help: 'Redirects (302), by whether the redirect cache had them (cache="hit" or "miss"), for a token or a public image.',
        type: 'counter',
        read: () => [
          { labels: { cache: 'hit', access: 'token' }, value: observations.redirects.cached },
          { labels: { cache: 'miss', access: 'token' }, value: observations.redirects.token },
          { labels: { cache: 'miss', access: 'public' }, value: observations.redirects.public },
        ],
      },
      {
        name: 'pixseal_problems_total',
        help: 'Answers that were a problem, by route and code.',
        type: 'counter',
        read: () => observations.problems.samples(),
      },
      {
        name: 'pixseal_deliveries_total',
        help: 'Items of POST /deliveries, by the code of their problem, or ok.',
        type: 'counter',
        read: () => observations.deliveries.samples(),
      },
      {
        name: 'pixseal_request_duration_seconds',
        help: 'From a request’s arrival to the end of its response, by route and class of the status.',
        type: 'histogram',
        read: () => observations.requestDurations(),
      },
      {
        name: 'pixseal_rate_limit_refusals_total',
        help: 'Requests that were answered 429, by whose allowance was used up.',
        type: 'counter',
        read: () => observations.refusals.samples(),
      },
      {
        name: 'pixseal_admin_writes_total',
        help: 'Requests of the admin API that write, by method, route and class of the status.',
        type: 'counter',
        read: () => observations.adminWrites.samples(),
      },
      {
        name: 'pixseal_notifications_total',
        help: 'Notifications of Cloudinary that were taken, by whether they changed a row.',
        type: 'counter',
        read: () => observations.notifications.samples(),
      },
      {
        name: 'pixseal_cache_requests_total',
        help: 'Questions to the directory’s caches: answered (hit), asked of the database (miss), or answered with an old row because the database does not answer (stale).',
        type: 'counter',
        read: () =>
          this.directory
            .caches()
            .flatMap(([cache, { counts }]) =>
              Object.entries(counts).map(([result, value]) => ({ labels: { cache, result }, value })),
            ),
      },
      {
        name: 'pixseal_cache_entries',
        help: 'Entries of the caches, absences among them.',
        type: 'gauge',
        read: () => [
          ...this.directory
            .caches()
            .map(([cache, { entryCount }]) => ({ labels: { cache }, value: entryCount })),
          { labels: { cache: 'redirects' }, value: this.redirects.size.entries },
        ],
      },
      {
        name: 'pixseal_redirect_cache_bytes',
        help: 'Approximate memory of the redirect cache.',
        type: 'gauge',
        read: () => one(this.redirects.size.bytes),
      },
      {
        name: 'pixseal_feed_live',
        help: '1 while the change feed tells of changed rows; of several workers the worst.',
        type: 'gauge',
        aggregator: 'min',
        read: () => one(Number(this.feed.isLive)),
      },
      {
        name: 'pixseal_feed_silence_seconds',
        help: 'Since everything that had changed was last known to have been told; of several workers the worst.',
        type: 'gauge',
        aggregator: 'max',
        read: () => one(this.feed.silentFor / 1000),
      },
      {
        name: 'pixseal_database_down',
        help: '1 from the first look-up without an answer until the database is found back; of several workers the worst.',
        type: 'gauge',
        aggregator: 'max',
        read: () => one(Number(this.lookups.isDown)),
      },
      {
        name: 'pixseal_database_pool_connections',
        help: 'Connections of the pool, without the change feed’s.',
        type: 'gauge',
        read: () => {
          const { totalCount, idleCount } = this.pool;
          return [
            { labels: { state: 'idle' }, value: idleCount },
            { labels: { state: 'used' }, value: totalCount - idleCount },
          ];
        },
      },
      {
        name: 'pixseal_database_pool_waiting',
        help: 'Requests that wait for a connection of the pool.',
        type: 'gauge',
        read: () => one(this.pool.waitingCount),
      },
      {
        name: 'pixseal_revocation_lag_seconds',
        help: 'From the start of the transaction that wrote a revocation, by the database’s clock, to this process forgetting what it knew, by its own; clocks that differ make it wrong by as much.',
        type: 'histogram',
        read: () => observations.revocationLag.samples(),
      },
      {
        name: 'pixseal_render_duration_seconds',
        help: 'Renders of mode local that gave a picture, without their wait.',
        type: 'histogram',
        read: () => observations.renders.samples(),
      },
      {
        name: 'pixseal_render_failures_total',
        help: 'Requests for a picture that got none, by status.',
        type: 'counter',
        read: () => observations.renderFailures.samples(),
      },
      {
        name: 'pixseal_render_cache_requests_total',
        help: 'Pictures that were kept on disk (hit), or had to be rendered (miss).',
        type: 'counter',
        read: () =>
          Object.entries(observations.renderCache).map(([result, value]) => ({ labels: { result }, value })),
      },
      {
        name: 'pixseal_renders_running',
        help: 'Pictures that are being rendered.',
        type: 'gauge',
        read: () => one(observations.renderLoad?.runningCount ?? 0),
      },
      {
        name: 'pixseal_renders_waiting',
        help: 'Pictures that wait to be rendered.',
        type: 'gauge',
        read: () => one(observations.renderLoad?.waitingCount ?? 0),
      },
    ];
  }

  private get pool(): pg.Pool {
    return (this.dataSource.driver as PostgresDriver).master as pg.Pool;
  }
}

function one(value: number): readonly Sample[] {
  return [{ labels: {}, value }];
}

/**
 * What a registry keeps. Not prom-client's own classes: those hash the labels at every count, and a redirect has no
 * time for that; a registry asks no more of a metric than this.
 */
function asMetric({ name, help, type, aggregator, read }: Instrument): Metric {
  const get = (): Promise<unknown> => {
    const values = read().map(({ labels, value, suffix }) => ({
      labels,
      value,
      ...(suffix === undefined ? {} : { metricName: name + suffix }),
    }));
    return Promise.resolve({ name, help, type, aggregator: aggregator ?? 'sum', values });
  };
  return { name, help, get, reset: () => undefined } as unknown as Metric;
}
