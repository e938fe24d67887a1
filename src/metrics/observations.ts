import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ToldProblem } from '../problems/problem.filter.js';
import { Durations, Tally, type Sample } from './instruments.js';

/** How many renders there are at this moment. */
export interface RenderLoad {
  readonly runningCount: number;
  readonly waitingCount: number;
}

const REDIRECT = '/images/:image_id';
/** In the place of a route's pattern where no route was found: a path is nothing to count by. */
const NO_ROUTE = 'none';

/**
 * What happened in this process, counted in plain numbers where it happens: whoever asks for metrics pays for their
 * form. Words to count by are routes' patterns, codes and statuses, never an id, a path or a token.
 */
export class Observations {
  readonly redirects = { warm: 0, sealed: 0, public: 0 };
  /** Up to 500 tokens come in one request of `/deliveries`: each by its problem's code, or `ok`. */
  readonly deliveries = new Tally(['code']);
  readonly problems = new Tally(['route', 'code']);
  readonly refusals = new Tally(['scope']);
  readonly adminWrites = new Tally(['method', 'route', 'status']);
  readonly notifications = new Tally(['result']);
  readonly renders = new Durations();
  readonly renderFailures = new Tally(['status']);
  readonly renderCache = { hit: 0, miss: 0 };
  readonly revocationLag = new Durations();
  /** Null in the modes that render nothing. */
  renderLoad: RenderLoad | null = null;
  /** By route, then by the first digit of the status. */
  private readonly routes = new Map<string, Map<number, Durations>>();
  private readonly redirectDurations = this.durationsOf(REDIRECT, 302);

  /** A redirect that the lane answered. @param way `warm`, or `sealed` for one that was verified anew. */
  redirected(way: 'warm' | 'sealed', milliseconds: number): void {
    this.redirects[way] += 1;
    this.redirectDurations.observe(milliseconds);
  }

  /** A request that the lane refused. */
  refused({ code, limitScope }: ToldProblem, status: number, milliseconds: number): void {
    this.durationsOf(REDIRECT, status).observe(milliseconds);
    this.problems.add(REDIRECT, code);
    if (limitScope !== null) this.refusals.add(limitScope);
  }

  /** An answer that went the whole way. */
  answered(request: FastifyRequest, reply: FastifyReply): void {
    const route = request.routeOptions.url ?? NO_ROUTE;
    const { statusCode } = reply.raw;
    this.durationsOf(route, statusCode).observe(reply.elapsedTime);
    if (route === REDIRECT && statusCode === 302) this.redirects[accessOf(request)] += 1;
    if (request.problemCode !== null) this.problems.add(route, request.problemCode);
    if (request.limitScope !== null) this.refusals.add(request.limitScope);
    const { method } = request;
    if (route.startsWith('/admin/') && method !== 'GET' && method !== 'HEAD') {
      this.adminWrites.add(method, route, classOf(statusCode));
    }
  }

  requestDurations(): Sample[] {
    return [...this.routes].flatMap(([route, classes]) =>
      [...classes].flatMap(([digit, durations]) => durations.samples({ route, status: `${digit}xx` })),
    );
  }

  private durationsOf(route: string, status: number): Durations {
    let classes = this.routes.get(route);
    if (classes === undefined) {
      classes = new Map();
      this.routes.set(route, classes);
    }
    const digit = Math.floor(status / 100);
    let durations = classes.get(digit);
    if (durations === undefined) {
      durations = new Durations();
      classes.set(digit, durations);
    }
    return durations;
  }
}

/** Counts every answer that comes to Fastify's hooks. */
export function observeAnswers(server: FastifyInstance, observations: Observations): void {
  server.decorateRequest('limitScope', null);
  server.addHook('onResponse', (request, reply, done) => {
    observations.answered(request, reply);
    done();
  });
}

function accessOf({ query }: FastifyRequest): 'sealed' | 'public' {
  return (query as Readonly<Record<string, unknown>>)['token'] === undefined ? 'public' : 'sealed';
}

function classOf(status: number): string {
  return `${Math.floor(status / 100)}xx`;
}
