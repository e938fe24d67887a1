import type { Exchange, RedirectKind } from '../http/exchange.js';
import { Histogram, Counter, type Sample } from './instruments.js';

/** The renders, or the fetches of the proxy, at this instant. */
export interface QueueLoad {
  readonly runningCount: number;
  readonly waitingCount: number;
}

/** The images that the proxy has on disk. */
export interface ProxyCacheLoad {
  readonly size: { readonly entries: number; readonly bytes: number };
}

/** Stands for a route's pattern where no route matches: a path is never a label. */
const NO_ROUTE = 'none';

/**
 * Counts of what happened in this process, as plain numbers: they are formatted only when metrics are read. Labels are
 * routes' patterns, codes and statuses, never an id, a path or a token.
 */
export class Observations {
  readonly redirects: Record<RedirectKind, number> = { cached: 0, token: 0, public: 0 };
  /** Tokens of `/deliveries`, up to 500 in a request, by their problem's code or `ok`. */
  readonly deliveries = new Counter(['code']);
  readonly problems = new Counter(['route', 'code']);
  readonly refusals = new Counter(['scope']);
  readonly adminWrites = new Counter(['method', 'route', 'status']);
  readonly notifications = new Counter(['result']);
  readonly renders = new Histogram();
  readonly renderFailures = new Counter(['status']);
  readonly renderCache = { hit: 0, miss: 0 };
  /** Proxied images by their source: the disk, the account's host, or a fetch that another client started. */
  readonly proxied = { hit: 0, miss: 0, shared: 0 };
  /** Bytes of proxied images that were passed to clients. */
  proxiedBytes = 0;
  /** Pictures that this process counted as new, of issuers with `new_pictures_per_day`. */
  newPictures = 0;
  readonly fetches = new Histogram();
  readonly fetchFailures = new Counter(['code']);
  /** Null if `PROXY` is off. */
  fetchLoad: QueueLoad | null = null;
  /** Null if `PROXY` is off. */
  proxyCache: ProxyCacheLoad | null = null;
  readonly revocationLag = new Histogram();
  /** Null in the modes that render nothing. */
  renderLoad: QueueLoad | null = null;
  /** By route, then by the first digit of the status. */
  private readonly routes = new Map<string, Map<number, Histogram>>();

  /** Counts a response. @param elapsed Milliseconds from the request's arrival to the end of its response. */
  observe({ request: { method }, status, route, problem, redirect }: Exchange, elapsed: number): void {
    const pattern = route ?? NO_ROUTE;
    this.durationsOf(pattern, status).observe(elapsed);
    if (redirect !== null) this.redirects[redirect] += 1;
    if (problem !== null) {
      this.problems.add(pattern, problem.code);
      if (problem.limitScope !== null) this.refusals.add(problem.limitScope);
    }
    if (pattern.startsWith('/admin/') && method !== 'GET' && method !== 'HEAD') {
      this.adminWrites.add(method ?? '', pattern, classOf(status));
    }
  }

  requestDurations(): Sample[] {
    return [...this.routes].flatMap(([route, classes]) =>
      [...classes].flatMap(([digit, durations]) => durations.samples({ route, status: `${digit}xx` })),
    );
  }

  private durationsOf(route: string, status: number): Histogram {
    let classes = this.routes.get(route);
    if (classes === undefined) {
      classes = new Map();
      this.routes.set(route, classes);
    }
    const digit = Math.floor(status / 100);
    let durations = classes.get(digit);
    if (durations === undefined) {
      durations = new Histogram();
      classes.set(digit, durations);
    }
    return durations;
  }
}

function classOf(status: number): string {
  return `${Math.floor(status / 100)}xx`;
}
