import type { Algorithm, Claims } from './token.js';

/** The content of a snippet: `<img>` contains the page's own token, code signs the same one with `PIXSEAL_SECRET`. */
export interface Recipe {
  readonly origin: string;
  readonly imageId: string;
  readonly algorithm: Algorithm;
  /** Without `exp` and `image_id`. */
  readonly claims: Claims;
  /** Whether the token names the image. */
  readonly bound: boolean;
  /** Seconds; null for a token that never expires. */
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

/** Copied code usually takes the image's id from a variable: it must not sign without one. */
const MISSING = 'the image id is missing';

/** A comment at the top of the code if the token opens more than one image, or is valid for more than a day. */
function warn(mark: string, { bound, lifetime }: Recipe): string {
  const unbound = bound ? [] : ['opens every image of the issuer'];
  const dangers = lifetime === null ? [...unbound, 'never expires'] : unbound;
  return dangers.length === 0 ? '' : `${mark} This token ${dangers.join(' and ')}.\n`;
}

function html({ origin, imageId, token }: Recipe): string {
  return `<img src="${origin}/images/${encodeURIComponent(imageId)}?token=${token}" alt="">`;
}

function shell(recipe: Recipe): string {
  const { origin, imageId, algorithm, claims, bound, lifetime } = recipe;
  const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const members = [
    quote(JSON.stringify(claims).slice(0, -1)),
    ...(bound ? [`',"image_id":"'"$image"'"'`] : []),
    ...(lifetime === null ? [] : [`',"exp":'$(( $(date +%s) + ${lifetime} ))`]),
    `'}'`,
  ];
  return `${warn('#', recipe)}# PIXSEAL_SECRET is the issuer's secret.
image=${quote(imageId)}
: "\${image:?${MISSING}}"
part() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
claims=${members.join('')}
sealed=$(printf '{"typ":"JWT","alg":"${algorithm}"}' | part).$(printf '%s' "$claims" | part)
mac=$(printf '%s' "$sealed" | openssl dgst -sha${bits(algorithm)} -hmac "$PIXSEAL_SECRET" -binary | part)
curl -sSL --fail-with-body -o picture "${origin}/images/$image?token=$sealed.$mac"`;
}

function node(recipe: Recipe): string {
  const { origin, imageId, algorithm, claims, bound, lifetime } = recipe;
  return `${warn('//', recipe)}// mint.mjs: PIXSEAL_SECRET=… node mint.mjs
import { createHmac } from 'node:crypto';

const imageId = ${JSON.stringify(imageId)};
if (!imageId) throw new Error('${MISSING}');
const claims = ${JSON.stringify(claims, null, 2)};
${bound ? 'claims.image_id = imageId;\n' : ''}${lifetime === null ? '' : `claims.exp = Math.floor(Date.now() / 1000) + ${lifetime};\n`}const part = (json) => Buffer.from(JSON.stringify(json)).toString('base64url');
const sealed = \`\${part({ typ: 'JWT', alg: '${algorithm}' })}.\${part(claims)}\`;
const mac = createHmac('sha${bits(algorithm)}', process.env.PIXSEAL_SECRET).update(sealed).digest('base64url');
console.log(\`${origin}/images/\${imageId}?token=\${sealed}.\${mac}\`);`;
}

function python(recipe: Recipe): string {
  const { origin, imageId, algorithm, claims, bound, lifetime } = recipe;
  return `${warn('#', recipe)}# PIXSEAL_SECRET=… python3 mint.py
import base64, hashlib, hmac, json, os, time

image_id = ${JSON.stringify(imageId)}
if not image_id: raise SystemExit("${MISSING}")
claims = ${literal(claims, { true: 'True', false: 'False', null: 'None', pair: ': ', text: JSON.stringify })}
${bound ? 'claims["image_id"] = image_id\n' : ''}${lifetime === null ? '' : `claims["exp"] = int(time.time()) + ${lifetime}\n`}part = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
header = {"typ": "JWT", "alg": "${algorithm}"}
sealed = part(json.dumps(header).encode()) + "." + part(json.dumps(claims).encode())
mac = hmac.new(os.environ["PIXSEAL_SECRET"].encode(), sealed.encode(), hashlib.sha${bits(algorithm)}).digest()
print("${origin}/images/" + image_id + "?token=" + sealed + "." + part(mac))`;
}

function ruby(recipe: Recipe): string {
  const { origin, imageId, algorithm, claims, bound, lifetime } = recipe;
  // Ruby interprets `#{…}` between double quotes as code.
  const quote = (value: string): string => JSON.stringify(value).replaceAll('#', '\\#');
  return `${warn('#', recipe)}# PIXSEAL_SECRET=… ruby mint.rb
require 'base64'
require 'json'
require 'openssl'

image_id = ${quote(imageId)}
abort '${MISSING}' if image_id.to_s.empty?
claims = ${literal(claims, { true: 'true', false: 'false', null: 'nil', pair: ' => ', text: quote })}
${bound ? 'claims["image_id"] = image_id\n' : ''}${lifetime === null ? '' : `claims["exp"] = Time.now.to_i + ${lifetime}\n`}part = ->(raw) { Base64.urlsafe_encode64(raw, padding: false) }
sealed = part.({ typ: 'JWT', alg: '${algorithm}' }.to_json) + '.' + part.(claims.to_json)
mac = OpenSSL::HMAC.digest('SHA${bits(algorithm)}', ENV.fetch('PIXSEAL_SECRET'), sealed)
puts "${origin}/images/#{image_id}?token=#{sealed}.#{part.(mac)}"`;
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
