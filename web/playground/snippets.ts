import type { Algorithm, Claims } from './token.js';

/** What a snippet says: `<img>` the page's own token, code the same one, sealed anew with `PIXSEAL_SECRET`. */
export interface Recipe {
  readonly origin: string;
  readonly imageId: string;
  readonly algorithm: Algorithm;
  /** Without `exp`. */
  readonly claims: Claims;
  /** Seconds; null for a token that does not end. */
  readonly lifetime: number | null;
  /** The token of the page, for `<img>`. */
  readonly token: string;
}

export const SNIPPETS = {
  '<img>': html,
  curl: shell,
  Node: node,
  Python: python,
  Ruby: ruby,
} as const satisfies Readonly<Record<string, (recipe: Recipe) => string>>;

export type SnippetName = keyof typeof SNIPPETS;
export const SNIPPET_NAMES = Object.keys(SNIPPETS) as readonly SnippetName[];

const bits = (algorithm: Algorithm): string => algorithm.slice(2);
const path = ({ origin, imageId }: Recipe): string => `${origin}/images/${encodeURIComponent(imageId)}`;

function html(recipe: Recipe): string {
  return `<img src="${path(recipe)}?token=${recipe.token}" alt="">`;
}

function shell(recipe: Recipe): string {
  const { algorithm, claims, lifetime } = recipe;
  const quoted = JSON.stringify(claims).replaceAll("'", `'\\''`);
  const sealed =
    lifetime === null ? `'${quoted}'` : `'${quoted.slice(0, -1)},"exp":'$(( $(date +%s) + ${lifetime} ))'}'`;
  return `# PIXSEAL_SECRET is the issuer's secret.
part() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
claims=${sealed}
sealed=$(printf '{"typ":"JWT","alg":"${algorithm}"}' | part).$(printf '%s' "$claims" | part)
mac=$(printf '%s' "$sealed" | openssl dgst -sha${bits(algorithm)} -hmac "$PIXSEAL_SECRET" -binary | part)
curl -sSL --fail-with-body -o picture "${path(recipe)}?token=$sealed.$mac"`;
}

function node(recipe: Recipe): string {
  const { algorithm, claims, lifetime } = recipe;
  return `// mint.mjs: PIXSEAL_SECRET=… node mint.mjs
import { createHmac } from 'node:crypto';

const claims = ${JSON.stringify(claims, null, 2)};
${lifetime === null ? '' : `claims.exp = Math.floor(Date.now() / 1000) + ${lifetime};\n`}const part = (json) => Buffer.from(JSON.stringify(json)).toString('base64url');
const sealed = \`\${part({ typ: 'JWT', alg: '${algorithm}' })}.\${part(claims)}\`;
const mac = createHmac('sha${bits(algorithm)}', process.env.PIXSEAL_SECRET).update(sealed).digest('base64url');
console.log(\`${path(recipe)}?token=\${sealed}.\${mac}\`);`;
}

function python(recipe: Recipe): string {
  const { algorithm, claims, lifetime } = recipe;
  return `# PIXSEAL_SECRET=… python3 mint.py
import base64, hashlib, hmac, json, os, time

claims = ${literal(claims, { true: 'True', false: 'False', null: 'None', pair: ': ', text: JSON.stringify })}
${lifetime === null ? '' : `claims["exp"] = int(time.time()) + ${lifetime}\n`}part = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
header = {"typ": "JWT", "alg": "${algorithm}"}
sealed = part(json.dumps(header).encode()) + "." + part(json.dumps(claims).encode())
mac = hmac.new(os.environ["PIXSEAL_SECRET"].encode(), sealed.encode(), hashlib.sha${bits(algorithm)}).digest()
print("${path(recipe)}?token=" + sealed + "." + part(mac))`;
}

function ruby(recipe: Recipe): string {
  const { algorithm, claims, lifetime } = recipe;
  // Between double quotes Ruby reads \`#{…}\` as code.
  const quote = (value: string): string => JSON.stringify(value).replaceAll('#', '\\#');
  return `# PIXSEAL_SECRET=… ruby mint.rb
require 'base64'
require 'json'
require 'openssl'

claims = ${literal(claims, { true: 'true', false: 'false', null: 'nil', pair: ' => ', text: quote })}
${lifetime === null ? '' : `claims["exp"] = Time.now.to_i + ${lifetime}\n`}part = ->(raw) { Base64.urlsafe_encode64(raw, padding: false) }
sealed = part.({ typ: 'JWT', alg: '${algorithm}' }.to_json) + '.' + part.(claims.to_json)
mac = OpenSSL::HMAC.digest('SHA${bits(algorithm)}', ENV.fetch('PIXSEAL_SECRET'), sealed)
puts "${path(recipe)}?token=#{sealed}.#{part.(mac)}"`;
}

interface Spelling {
  readonly true: string;
  readonly false: string;
  readonly null: string;
  readonly pair: string;
  readonly text: (value: string) => string;
}

/** JSON as another language writes it. */
function literal(value: unknown, spelling: Spelling, indent = ''): string {
  const inner = `${indent}  `;
  const lines = (open: string, close: string, items: readonly string[]): string =>
    items.length === 0
      ? open + close
      : `${open}\n${items.map((item) => inner + item).join(',\n')}\n${indent}${close}`;
  if (Array.isArray(value)) {
    return lines(
      '[',
      ']',
      value.map((item) => literal(item, spelling, inner)),
    );
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([key, member]) => spelling.text(key) + spelling.pair + literal(member, spelling, inner),
    );
    return lines('{', '}', members);
  }
  if (typeof value === 'string') return spelling.text(value);
  if (typeof value === 'number') return String(value);
  return value === true ? spelling.true : value === false ? spelling.false : spelling.null;
}
