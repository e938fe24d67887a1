// Microseconds of the pieces, beside the libraries that do the same and the hash that neither can do without. Run by
// `npm run bench` in a process of its own, with the database's settings; writes JSON.
import { createHash, createHmac, createSecretKey, hash } from 'node:crypto';
import { Cloudinary } from '@cloudinary/url-gen';
import { createVerifier } from 'fast-jwt';
import { jwtVerify } from 'jose';
import jwt from 'jsonwebtoken';
import { measure } from 'mitata';
import { openPieces } from './pixseal.js';
import { CLOUD, KEY, SEED } from './rows.js';
import { BASE_CHAIN, mintDistinct, seedChain, seedSteps, signedUrl } from './workloads.js';

/** More than a cache of a few thousand would hold. */
const DISTINCT = 20_000;
const { tokens, urls } = mintDistinct(DISTINCT);
const sizes = tokens.map((_, index) => [100 + (index % 900), 100 + Math.floor(index / 900)]);
const steps = sizes.map(([width, height]) => seedSteps(width, height));
const chains = sizes.map(([width, height]) => [
  ...BASE_CHAIN.split('/'),
  ...seedChain(width, height).split('/'),
]);
const sealed = tokens.map((token) => token.slice(0, token.lastIndexOf('.')));
const paths = chains.map((chain) => `${chain.join('/')}/`);
const toSign = paths.map((path) => `${path}${SEED.publicId}.jpg`);

const asset = {
  deliveryType: 'authenticated',
  publicId: SEED.publicId,
  version: SEED.version,
  format: 'jpg',
};
const overlays = new Map([
  [SEED.overlayId, { id: SEED.overlayId, publicId: SEED.overlayPublicId, deliveryType: 'private' }],
]);
const key = createSecretKey(Buffer.from(KEY.secret));
const fastVerify = createVerifier({ key: KEY.secret, algorithms: ['HS256'], cache: false });
const urlGen = new Cloudinary({ cloud: { cloudName: CLOUD.cloud_name }, url: { analytics: false } });

/** Another input each time. */
const each = (run) => {
  let next = 0;
  return () => {
    next = (next + 1) % DISTINCT;
    return run(next);
  };
};

const pieces = await openPieces();
const PIECES = {
  check: ['token check', 'Pixseal', (n) => pieces.check(tokens[n])],
  jsonwebtoken: [
    'token check',
    'jsonwebtoken, KeyObject',
    (n) => jwt.verify(tokens[n], key, { algorithms: ['HS256'] }),
  ],
  jsonwebtokenText: [
    'token check',
    'jsonwebtoken, string',
    (n) => jwt.verify(tokens[n], KEY.secret, { algorithms: ['HS256'] }),
  ],
  jose: ['token check', 'jose, KeyObject', (n) => jwtVerify(tokens[n], key, { algorithms: ['HS256'] })],
  fastJwt: ['token check', 'fast-jwt, no cache', (n) => fastVerify(tokens[n])],
  hmac: [
    'token check',
    'the limit: HMAC-SHA256 of the bytes',
    (n) => createHmac('sha256', key).update(sealed[n]).digest(),
  ],
  map: ['mapping', 'Pixseal', (n) => pieces.map(steps[n], overlays)],
  sign: ['signature', 'Pixseal', (n) => pieces.sign(asset, paths[n])],
  sdk: ['signature', '`cloudinary.url()`, chain as text', (n) => signedUrl(chains[n].slice(3).join('/'))],
  urlGen: [
    'signature',
    '`@cloudinary/url-gen`, which cannot sign',
    (n) =>
      urlGen
        .image(SEED.publicId)
        .setDeliveryType('authenticated')
        .setVersion(SEED.version)
        .addTransformation(chains[n].join('/'))
        .toURL(),
  ],
  sha1: [
    'signature',
    'the limit: SHA-1 of the bytes, `crypto.hash`',
    (n) => hash('sha1', toSign[n] + CLOUD.api_secret, 'base64url'),
  ],
  createHash: [
    'signature',
    'SHA-1 of the bytes, `createHash`',
    (n) =>
      createHash('sha1')
        .update(toSign[n] + CLOUD.api_secret)
        .digest('base64url'),
  ],
  deliver: ['all of a redirect but HTTP', 'Pixseal', (n) => pieces.decide(SEED.imageId, tokens[n])],
};

// What is measured is right.
const { url } = await pieces.decide(SEED.imageId, tokens[1]);
if (url !== urls[1] || pieces.sign(asset, paths[1]) !== urls[1]) throw new Error(`The URL is ${url}`);
if (pieces.map(steps[1], overlays) !== `${seedChain(...sizes[1])}/`) throw new Error('The chain is another');

const results = {};
for (const [id, [what, by, run]] of Object.entries(PIECES)) {
  const { p25, p50, p75 } = await measure(each(run));
  results[id] = { what, by, p25: p25 / 1_000, p50: p50 / 1_000, p75: p75 / 1_000 };
}
process.stdout.write(`${JSON.stringify(results)}\n`);
await pieces.close();
