// Writes test/tokens/library-tokens.json: tokens that libraries of other languages sign, and the public keys.
// node test/support/library-tokens.js; needs what test/support/libraries names. The private keys are not kept.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const LIBRARIES = {
  PyJWT: ['/usr/bin/python3', 'sign.py'],
  'ruby-jwt': ['ruby', 'sign.rb'],
  'golang-jwt': ['go', 'run', 'sign.go'],
};
/** Debian's packages of Go are sources below this folder. */
const ENVIRONMENT = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode' };
const claims = {
  iss: 'cfd3b472-dbba-4089-bce7-f5c1e413b5c1',
  exp: 4_102_444_800,
  image_id: '161400d0-c894-42fd-8100-262361ea91ff',
  transformations: [{ overlay: { text: 'Zoë 🙂 5/5', font_family: 'Arial', font_size: 40 } }],
};

const pairs = {
  EdDSA: generateKeyPairSync('ed25519'),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
};
const pemsOf = (side, type) =>
  Object.fromEntries(
    Object.entries(pairs).map(([algorithm, pair]) => [algorithm, pair[side].export({ type, format: 'pem' })]),
  );
const input = JSON.stringify({ claims, keys: pemsOf('privateKey', 'pkcs8') });
const tokens = Object.entries(LIBRARIES).flatMap(([library, [program, ...args]]) => {
  const file = join(import.meta.dirname, 'libraries', args.pop());
  const output = execFileSync(program, [...args, file], { input, env: ENVIRONMENT, encoding: 'utf8' });
  return Object.entries(JSON.parse(output)).map(([algorithm, token]) => ({ library, algorithm, token }));
});
const fixture = { claims, publicKeys: pemsOf('publicKey', 'spki'), tokens };
writeFileSync(
  join(import.meta.dirname, '../tokens/library-tokens.json'),
  `${JSON.stringify(fixture, null, 2)}\n`,
);
