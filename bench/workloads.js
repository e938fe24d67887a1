// What the servers are asked, and what they must answer: every Location is the SDK's own, made beforehand.
import { createHmac } from 'node:crypto';
import { v2 as cloudinary } from 'cloudinary';
import { CLOUD, KEY, numbered, numberedIssuer, PUBLIC_IMAGE, SEED } from './rows.js';

export const BASE_CHAIN = 'c_fit,h_1920,w_1920/fl_attachment/dpr_auto,q_auto,f_auto';
const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');

/** Seals a payload as clients do. */
export function seal(payload, { issuerId = SEED.issuerId, key = KEY } = {}) {
  const header = encode({ typ: 'JWT', alg: 'HS256', kid: key.id });
  const sealed = `${header}.${encode({ iss: issuerId, ...payload })}`;
  return `${sealed}.${createHmac('sha256', key.secret).update(sealed).digest('base64url')}`;
}

/** The seed's steps: a tiled overlay, then a fit. */
export function seedSteps(width = 101, height = 102) {
  return [
    { width: 200, overlay: SEED.overlayId, flags: 'tiled', miaim: 'hey hey !', super_plop: 'test?' },
    { width, flags: 'tiled', height, crop: 'fit' },
  ];
}

export const seedChain = (width = 101, height = 102) =>
  `fl_tiled,l_private:${SEED.overlayPublicId},w_200/c_fit,h_${height},w_${width}`;

/** The URL under a chain of the token's own components. */
export function signedUrl(chain, publicId = SEED.publicId) {
  return cloudinary.url(publicId, {
    ...CLOUD,
    raw_transformation: chain === '' ? BASE_CHAIN : `${BASE_CHAIN}/${chain}`,
    type: 'authenticated',
    version: String(SEED.version),
    format: 'jpg',
    sign_url: true,
    secure: true,
    urlAnalytics: false,
  });
}

/**
 * Tokens whose chains all differ: token `index` fits the picture into a size of its own, up to 810,000 of them.
 * @param from Tokens of another call are others where this is another number.
 */
export function mintDistinct(count, from = 0) {
  const tokens = [];
  const urls = [];
  for (let index = 0; index < count; index += 1) {
    const [width, height] = [100 + (index % 900), 100 + Math.floor(index / 900)];
    tokens.push(seal({ transformations: seedSteps(width, height), sharinpix: {}, n: from + index }));
    urls.push(signedUrl(seedChain(width, height)));
  }
  return { tokens, urls };
}

/** 2100-01-01, in seconds. */
const EXPIRY = 4_102_444_800;

/**
 * Tokens as a production backend signs them: an id, one image, an expiry, a tiled overlay and a size. All chains differ.
 * @param options `from` numbers the ids of the tokens; `image` and `publicId` are of the image of an index.
 */
export function mintProduction(
  count,
  { from = 0, image = () => SEED.imageId, publicId = () => SEED.publicId } = {},
) {
  const tokens = [];
  const urls = [];
  for (let index = 0; index < count; index += 1) {
    const [width, height] = [100 + (index % 900), 100 + Math.floor(index / 900)];
    tokens.push(
      seal({
        jti: numbered(9, from + index),
        image_id: image(index),
        exp: EXPIRY,
        transformations: [
          { overlay: SEED.overlayId, width: 200, flags: 'tiled' },
          { width, height, crop: 'fit' },
        ],
      }),
    );
    urls.push(signedUrl(seedChain(width, height), publicId(index)));
  }
  return { tokens, urls };
}

/** Tokens of chains that have `steps` steps and all differ. */
export function mintChains(count, steps) {
  const tokens = [];
  const urls = [];
  for (let index = 0; index < count; index += 1) {
    const sizes = Array.from({ length: steps }, (_, step) => [
      100 + (index % 900),
      1_000 - step - Math.floor(index / 900),
    ]);
    tokens.push(seal({ transformations: sizes.map(([width, height]) => ({ width, height, crop: 'fit' })) }));
    urls.push(signedUrl(sizes.map(([width, height]) => `c_fit,h_${height},w_${width}`).join('/')));
  }
  return { tokens, urls };
}

/** One token for each of the issuers that `insertIssuers` made, for the one image it has. */
export function issuersInTurn(count) {
  const step = [{ width: 101, height: 102, crop: 'fit' }];
  const all = Array.from({ length: count }, (_, index) => ({
    path: `/images/${numbered(5, index + 1)}?token=${seal({ transformations: step }, numberedIssuer(index + 1))}`,
    url: signedUrl('c_fit,h_102,w_101', `issuer-image-${index + 1}`),
  }));
  return gets(
    count,
    (index) => all[index].path,
    (index) => all[index].url,
  );
}

/** The seed's chain in a token of its own each time. */
export function mintOneChain(count) {
  const tokens = [];
  for (let index = 0; index < count; index += 1) {
    tokens.push(seal({ transformations: seedSteps(), sharinpix: {}, n: index }));
  }
  return { tokens, urls: [signedUrl(seedChain())] };
}

/** @returns {import('./load-client.js').Workload} */
export function redirects({ tokens, urls }, { imageId = SEED.imageId } = {}) {
  return gets(
    tokens.length,
    (index) => `/images/${imageId}?token=${tokens[index]}`,
    (index) => urls[urls.length === 1 ? 0 : index],
  );
}

/** Requests as a proxy forwards them. */
export function forwarded({ count, request, isRight }) {
  const headers =
    'X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: img.example.com\r\n\r\n';
  return { count, request: (index) => request(index).slice(0, -2) + headers, isRight };
}

/** Requests as a proxy forwards them to a service in mode `blank`. */
export function blank({ tokens, urls }) {
  return forwarded(
    redirects({ tokens, urls: urls.map((url) => `https://img.example.com/assets/blank.jpg#${url}`) }),
  );
}

/** @returns {import('./load-client.js').Workload} */
export function gets(count, path, location) {
  return {
    count,
    request: (index) => get(path(index)),
    isRight: (index, answer) =>
      // The name is written in either case.
      answer.startsWith('HTTP/1.1 302 ') && answer.includes(`ocation: ${location(index)}\r\n`),
  };
}

/** The same requests of a server that has one answer for all: the first one's. */
export function answeredAsFirst({ count, request, isRight }) {
  return { count, request, isRight: (_, answer) => isRight(0, answer) };
}

/** The same tokens with signatures that are of the right length and nobody's. */
export function forgeries({ tokens }) {
  return {
    count: tokens.length,
    request: (index) => get(`/images/${SEED.imageId}?token=${tokens[index].slice(0, -4)}AAAA`),
    isRight: (_, answer) =>
      answer.startsWith('HTTP/1.1 401 ') &&
      answer.includes('"invalid_token"') &&
      !answer.includes('ocation: '),
  };
}

/** `count` images in turn, each with a token of its own. */
export function coldImages(count) {
  const id = (index) => numbered(1, index + 1);
  const { tokens, urls } = mintProduction(count, {
    image: id,
    publicId: (index) => `image-${index + 1}`,
  });
  return gets(
    count,
    (index) => `/images/${id(index)}?token=${tokens[index]}`,
    (index) => urls[index],
  );
}

/** `count` of `rows` images in turn; the token is one that opens all. */
export function imagesInTurn(count, rows = count) {
  const token = seal({ transformations: seedSteps(), sharinpix: {} });
  const number = (index) => 1 + Math.floor((index * rows) / count);
  const urls = Array.from({ length: count }, (_, index) => signedUrl(seedChain(), `image-${number(index)}`));
  return gets(
    count,
    (index) => `/images/${numbered(1, number(index))}?token=${token}`,
    (index) => urls[index],
  );
}

export function publicImages() {
  const url = signedUrl('', PUBLIC_IMAGE.publicId);
  return gets(
    1,
    () => `/images/${PUBLIC_IMAGE.id}`,
    () => url,
  );
}

/** `POST /deliveries` with `size` tokens at a time. */
export function bulk({ tokens, urls }, size) {
  const bodies = [];
  for (let from = 0; from + size <= tokens.length; from += size) {
    const items = tokens.slice(from, from + size).map((token) => ({ image_id: SEED.imageId, token }));
    const body = JSON.stringify({ deliveries: items });
    bodies.push(
      `POST /deliveries HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
  }
  return {
    count: bodies.length,
    perRequest: size,
    // A few keep a core busy; more would only wait, until the service sheds load.
    connections: 4,
    request: (index) => bodies[index],
    isRight: (index, answer) => {
      if (!answer.startsWith('HTTP/1.1 200 ')) return false;
      const { deliveries } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
      return (
        deliveries.length === size &&
        deliveries.every(
          ({ location }, item) => location === urls[urls.length === 1 ? 0 : index * size + item],
        )
      );
    },
  };
}

function get(path) {
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
}
