import type { ConnectionUrl } from './url-credentials.js';

const SCHEME = /^redis(?:s)?:\/\//i;
/** Schemes of other clients for kinds of Redis that are not supported, and what to set instead. */
const OTHER_KINDS: readonly (readonly [scheme: RegExp, kind: string, instead?: string])[] = [
  [
    /^[a-z+-]*sentinel[a-z+-]*:/i,
    'Redis Sentinel',
    'set the primary, or a name or proxy that always leads to it',
  ],
  [/^[a-z+-]*cluster[a-z+-]*:/i, 'Redis Cluster', 'set a Redis without cluster mode, which may be small'],
  [/^[a-z+-]*(?:unix|socket)[a-z+-]*:|^\//i, 'a socket'],
];

/** Reads the URL of a Redis: one primary over TCP, with TLS for `rediss://`. */
export function readRedisUrl(text: string): ConnectionUrl {
  const [, kind, instead] = OTHER_KINDS.find(([scheme]) => scheme.test(text)) ?? [];
  if (kind !== undefined) return unsupported(kind, instead);
  if (!SCHEME.test(text)) return { problem: 'must be a URL that starts with redis:// or rediss://' };
  const [authority = ''] = text.replace(SCHEME, '').split(/[/?#]/);
  if (authority.slice(authority.lastIndexOf('@') + 1).includes(',')) return unsupported('a list of hosts');
  if (!URL.canParse(text)) return { problem: `must read ${EXAMPLE}` };
  const url = new URL(text);
  if (url.hostname === '') return unsupported('a URL without a host, as of a socket,');
  if (!/^\/?\d*$/.test(url.pathname) || url.hash !== '')
    return { problem: `must end with the number of a database, if anything: ${EXAMPLE}` };
  // The client reads any of its options from the query, such as the path of a socket.
  const [parameter] = [...url.searchParams.keys()].filter((name) => name !== 'family');
  if (parameter === undefined) return { url: url.href };
  const name = /^[\w.-]{1,40}$/.test(parameter) ? `the parameter ${parameter}` : 'a parameter';
  return { problem: `has ${name}, which is not supported; only family (4 or 6) is` };
}

const EXAMPLE = 'redis://user:password@host:6379/0';

function unsupported(kind: string, instead?: string): ConnectionUrl {
  const hint = instead === undefined ? '' : `; ${instead}`;
  return { problem: `must lead to one Redis primary over TCP (${EXAMPLE}): ${kind} is not supported${hint}` };
}
