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

/** A metric that is read when requested. */
interface Instrument {
  readonly name: string;
  /** Its description. */
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** How the workers' values are combined (default: their sum). */
  readonly aggregator?: 'min' | 'max';
  readonly read: () => readonly Sample[];
}

/** The table of all metrics. */
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

  /** The text of this process, or of all workers. */
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
        help: 'Redirects (302), by whether they came from the redirect cache (cache="hit" or "miss"), for a token or a public image.',
        type: 'counter',
        read: () => [
          { labels: { cache: 'hit', access: 'token' }, value: observations.redirects.cached },
          { labels: { cache: 'miss', access: 'token' }, value: observations.redirects.token },
          { labels: { cache: 'miss', access: 'public' }, value: observations.redirects.public },
        ],
      },
      {
        name: 'pixseal_problems_total',
        help: 'Responses with a problem, by route and code.',
        type: 'counter',
        read: () => observations.problems.samples(),
      },
      {
        name: 'pixseal_deliveries_total',
        help: 'Items of POST /deliveries, by their problem’s code, or ok.',
        type: 'counter',
        read: () => observations.deliveries.samples(),
      },
      {
        name: 'pixseal_request_duration_seconds',
        help: 'From a request’s arrival to the end of its response, by route and status class.',
        type: 'histogram',
        read: () => observations.requestDurations(),
      },
      {
        name: 'pixseal_rate_limit_refusals_total',
        help: 'Requests refused with 429, by the exhausted rate limit.',
        type: 'counter',
        read: () => observations.refusals.samples(),
      },
      {
        name: 'pixseal_admin_writes_total',
        help: 'Writing requests of the admin API, by method, route and status class.',
        type: 'counter',
        read: () => observations.adminWrites.samples(),
      },
      {
        name: 'pixseal_notifications_total',
        help: 'Accepted Cloudinary notifications, by whether they changed a row.',
        type: 'counter',
        read: () => observations.notifications.samples(),
      },
      {
        name: 'pixseal_cache_requests_total',
        help: 'Look-ups in the directory’s caches: served (hit), loaded from the database (miss), or served stale because the database does not respond (stale).',
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
        help: 'Entries of the caches, including absent rows.',
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
        help: '1 while the change feed is connected; the worst of several workers.',
        type: 'gauge',
        aggregator: 'min',
        read: () => one(Number(this.feed.isLive)),
      },
      {
        name: 'pixseal_feed_silence_seconds',
        help: 'Time since all earlier changes were last known to be received; the worst of several workers.',
        type: 'gauge',
        aggregator: 'max',
        read: () => one(this.feed.silentFor / 1000),
      },
      {
        name: 'pixseal_database_down',
        help: '1 from the first look-up without a response until the database responds again; the worst of several workers.',
        type: 'gauge',
        aggregator: 'max',
        read: () => one(Number(this.lookups.isDown)),
      },
      {
        name: 'pixseal_database_pool_connections',
        help: 'Connections of the pool, excluding the change feed’s.',
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
        help: 'From the start of the transaction that wrote a revocation, by the database’s clock, to its receipt by this process, by its own clock; clock skew adds to it.',
        type: 'histogram',
        read: () => observations.revocationLag.samples(),
      },
      {
        name: 'pixseal_render_duration_seconds',
        help: 'Successful renders in mode local, without their wait.',
        type: 'histogram',
        read: () => observations.renders.samples(),
      },
      {
        name: 'pixseal_render_failures_total',
        help: 'Failed requests for an image, by status.',
        type: 'counter',
        read: () => observations.renderFailures.samples(),
      },
      {
        name: 'pixseal_render_cache_requests_total',
        help: 'Images found on disk (hit) or rendered (miss).',
        type: 'counter',
        read: () =>
          Object.entries(observations.renderCache).map(([result, value]) => ({ labels: { result }, value })),
      },
      {
        name: 'pixseal_renders_running',
        help: 'Images being rendered.',
        type: 'gauge',
        read: () => one(observations.renderLoad?.runningCount ?? 0),
      },
      {
        name: 'pixseal_renders_waiting',
        help: 'Images waiting to be rendered.',
        type: 'gauge',
        read: () => one(observations.renderLoad?.waitingCount ?? 0),
      },
      {
        name: 'pixseal_new_pictures_total',
        help: 'Images under chains that were counted as new, of issuers with new_pictures_per_day.',
        type: 'counter',
        read: () => one(observations.newPictures),
      },
      {
        name: 'pixseal_proxied_images_total',
        help: 'Requests for proxied images, by their source: the disk (hit), the account’s host (miss), or a fetch in progress (shared).',
        type: 'counter',
        read: () =>
          Object.entries(observations.proxied).map(([cache, value]) => ({ labels: { cache }, value })),
      },
      {
        name: 'pixseal_proxied_bytes_total',
        help: 'Bytes of proxied images that were passed to clients.',
        type: 'counter',
        read: () => one(observations.proxiedBytes),
      },
      {
        name: 'pixseal_upstream_duration_seconds',
        help: 'Fetches of images from the accounts’ hosts, until the last byte or the failure, without their wait.',
        type: 'histogram',
        read: () => observations.fetches.samples(),
      },
      {
        name: 'pixseal_upstream_failures_total',
        help: 'Fetches that failed, by the problem’s code.',
        type: 'counter',
        read: () => observations.fetchFailures.samples(),
      },
      {
        name: 'pixseal_upstream_fetches',
        help: 'Images being fetched, and waiting to be.',
        type: 'gauge',
        read: () => [
          { labels: { state: 'running' }, value: observations.fetchLoad?.runningCount ?? 0 },
          { labels: { state: 'waiting' }, value: observations.fetchLoad?.waitingCount ?? 0 },
        ],
      },
      {
        name: 'pixseal_proxy_cache_bytes',
        help: 'Bytes of the proxy’s images on disk.',
        type: 'gauge',
        aggregator: 'max',
        read: () => one(observations.proxyCache?.size.bytes ?? 0),
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
 * Not prom-client's own classes: they hash the labels at every count, which costs a redirect too much time. A registry
 * needs no more of a metric than this.
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
