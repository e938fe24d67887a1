import '../support/built.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type AccountHost,
  PICTURE,
  PICTURE_HEADERS,
  type ReceivedView,
  sendPicture,
  startAccountHost,
  view,
} from '../support/account-host.js';
import { comparable, problem, request, sendRaw } from '../support/http.js';
import { measure, uploadSeed } from '../support/pictures.js';
import { readMetrics, sumOf } from '../support/metrics.js';
import { createRandomTenant, post, SEED, signWith, type Tenant } from '../support/seed.js';
import { CLOUD, startService, type Service } from '../support/service.js';

let host: AccountHost;
let service: Service;
let tenant: Tenant;

beforeAll(async () => {
  host = await startAccountHost();
  service = await startService({ DELIVERY_MODE: 'cloudinary', PROXY: 'on', PROXY_UPSTREAM: host.origin });
});
afterAll(async () => {
  await service.close();
  await host.close();
});
beforeEach(async () => {
  tenant = await createRandomTenant(service);
  await setPolicy({ delivery: 'proxy' });
  host.answer(sendPicture);
});

async function setPolicy(policy: object): Promise<void> {
  const response = await service.admin('PATCH', `/issuers/${tenant.issuerId}`, { policy });
  expect(response.status, response.text).toBe(200);
}

const show = (claims: object = {}, options?: Parameters<typeof view>[2]): Promise<ReceivedView> =>
  view(service.port, tenant.path({ ...claims }), options);

const problemOf = ({ status, body }: ReceivedView): unknown => [
  status,
  (JSON.parse(body.toString()) as { code: string }).code,
];

/** Waits until no fetch is in progress: each image that is kept is on the disk then. */
const settled = (): Promise<void> =>
  expect.poll(async () => sumOf(await readMetrics(service.port), 'pixseal_upstream_fetches')).toBe(0);

/** The requests that the host received while `run` was going on. */
async function fetched(run: () => Promise<unknown>): Promise<AccountHost['requests']> {
  const before = host.requests.length;
  await run();
  return host.requests.slice(before);
}

describe('a proxied image', () => {
  it('is delivered with its bytes, and headers of its own', async () => {
    const { status, headers, body, isWhole } = await show();
    const { 'x-request-id': id, 'x-runtime': runtime, date, ...rest } = headers;
    expect([id, runtime, date].every(Boolean)).toBe(true);
    expect({ status, isWhole }).toStrictEqual({ status: 200, isWhole: true });
    expect(body.equals(PICTURE)).toBe(true);
    expect(rest).toStrictEqual({
      'cache-control': 'private, max-age=0, must-revalidate',
      vary: 'Accept, Sec-CH-DPR, Authorization',
      etag: '"picture-1"',
      'last-modified': 'Sat, 01 Aug 2026 10:00:00 GMT',
      'content-type': 'image/jpeg',
      'content-disposition': 'attachment',
      'accept-ranges': 'bytes',
      'content-length': '5000',
      'access-control-allow-origin': '*',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
      'x-robots-tag': 'noindex',
      'referrer-policy': 'no-referrer',
      connection: 'close',
    });
  });

  it('is fetched by its signed URL from the account’s host, without anything of the client', async () => {
    const [sent] = await fetched(() =>
      show(
        { transformations: [{ width: 33 }] },
        {
          headers: {
            Accept: 'image/avif,image/webp,image/png;q=0.8,*/*;q=0.5',
            Authorization: 'Basic Zm9v',
            Cookie: 'a=b',
            Referer: 'https://shop.example/secret',
            'User-Agent': 'Browser/1.0',
            'X-Forwarded-For': '198.51.100.7',
            'Sec-CH-DPR': '1.7',
            'Sec-CH-Width': '640',
          },
        },
      ),
    );
    const { connection, ...headers } = sent?.headers ?? {};
    expect(connection).toBe('keep-alive');
    expect(headers).toStrictEqual({
      host: 'res.cloudinary.com',
      'user-agent': 'pixseal',
      'accept-encoding': 'identity',
      accept: 'image/avif,image/webp,*/*',
      'sec-ch-dpr': '2',
    });
    const chain = 'c_fit,h_1920,w_1920/fl_attachment/dpr_auto,q_auto,f_auto/w_33';
    expect(sent?.url).toMatch(
      new RegExp(`^/${CLOUD}/image/authenticated/s--[\\w-]{8}--/${chain}/v123123/image_[0-9a-f]{8}\\.jpg$`),
    );
  });

  it('is fetched once for each class of client, and then served from the disk', async () => {
    const accepts = ['image/avif,*/*', 'image/webp,*/*', '*/*', 'image/avif;q=0', 'text/html', 'image/avif'];
    const sent = await fetched(async () => {
      for (const Accept of accepts) {
        expect((await show({}, { headers: { Accept } })).body.equals(PICTURE)).toBe(true);
      }
    });
    expect(sent.map(({ headers }) => headers.accept)).toStrictEqual([
      'image/avif,image/webp,*/*',
      'image/webp,*/*',
      '*/*',
    ]);
  });

  it('is the same for every token of the same chain', async () => {
    const sent = await fetched(async () => {
      await show({ exp: Math.floor(Date.now() / 1000) + 60, jti: 'one' });
      await show({ exp: Math.floor(Date.now() / 1000) + 90, sharinpix: { filename: 'a.jpg' } });
      await show();
    });
    expect(sent).toHaveLength(1);
  });

  it('is fetched once for clients that wait together', async () => {
    const waiting: (() => void)[] = [];
    host.answer((_, response) => {
      response.writeHead(200, PICTURE_HEADERS).write(PICTURE.subarray(0, 1_000));
      waiting.push(() => response.end(PICTURE.subarray(1_000)));
    });
    const sent = await fetched(async () => {
      const views = Array.from({ length: 20 }, () => show());
      await expect.poll(() => waiting.length).toBe(1);
      await expect
        .poll(async () =>
          sumOf(await readMetrics(service.port), 'pixseal_proxied_images_total', { cache: 'shared' }),
        )
        .toBeGreaterThanOrEqual(19);
      waiting[0]?.();
      for (const { body } of await Promise.all(views)) expect(body.equals(PICTURE)).toBe(true);
    });
    expect(sent).toHaveLength(1);
  });

  it('may be cached by its client until its token expires, if the policy says so', async () => {
    await setPolicy({ delivery: 'proxy', redirect_cache: 'private', redirect_max_age: 600 });
    const maxAge = async (claims: object): Promise<number> =>
      Number(
        /^private, max-age=(\d+), must-revalidate$/.exec(
          (await show(claims)).headers['cache-control'] ?? '',
        )?.[1],
      );
    expect(await maxAge({})).toBe(600);
    const left = await maxAge({ exp: Math.floor(Date.now() / 1000) + 60 });
    expect(left).toBeGreaterThan(50);
    expect(left).toBeLessThanOrEqual(60);
    expect(await maxAge({ exp: Math.floor(Date.now() / 1000) - 5 })).toBe(0);
  });

  it.each([
    ['HEAD', {}, 200, 0],
    ['GET', { 'If-None-Match': '"other", W/"picture-1"' }, 304, 0],
    ['GET', { 'If-None-Match': '*' }, 304, 0],
    ['HEAD', { 'If-None-Match': '"picture-1"' }, 304, 0],
    ['GET', { 'If-None-Match': '"other"', 'If-Modified-Since': 'Sat, 01 Aug 2026 10:00:00 GMT' }, 200, 5_000],
    ['GET', { 'If-Modified-Since': 'Sat, 01 Aug 2026 10:00:00 GMT' }, 304, 0],
    ['GET', { 'If-Modified-Since': 'Sat, 01 Aug 2026 09:59:59 GMT' }, 200, 5_000],
    ['GET', { 'If-Modified-Since': 'yesterday' }, 200, 5_000],
    ['GET', { Range: 'bytes=0-0' }, 206, 1],
    ['GET', { Range: 'bytes=4990-' }, 206, 10],
    ['GET', { Range: 'bytes=4990-9000' }, 206, 10],
    ['GET', { Range: 'bytes=-7' }, 206, 7],
    ['GET', { Range: 'bytes=-9000' }, 206, 5_000],
    ['GET', { Range: 'bytes=0-1,5-6' }, 200, 5_000],
    ['GET', { Range: 'bytes=9-1' }, 200, 5_000],
    ['GET', { Range: 'lines=1-2' }, 200, 5_000],
    ['HEAD', { Range: 'bytes=0-0' }, 200, 0],
    ['GET', { Range: 'bytes=0-9', 'If-Range': '"picture-1"' }, 206, 10],
    ['GET', { Range: 'bytes=0-9', 'If-Range': 'W/"picture-1"' }, 200, 5_000],
    ['GET', { Range: 'bytes=0-9', 'If-Range': '"other"' }, 200, 5_000],
    ['GET', { Range: 'bytes=0-9', 'If-Range': 'Sat, 01 Aug 2026 10:00:00 GMT' }, 206, 10],
  ] as [string, Record<string, string>, number, number][])(
    'on the disk responds to %s with %j with %i and %i bytes',
    async (method, headers, status, length) => {
      await show();
      const sent = await fetched(async () => {
        const received = await show({}, { method, headers });
        expect(received).toMatchObject({ status, isWhole: true });
        expect(received.body).toHaveLength(length);
        expect(received.headers['content-length']).toBe(
          status === 304 ? undefined : method === 'HEAD' ? '5000' : String(length),
        );
      });
      expect(sent).toStrictEqual([]);
    },
  );

  it.each([
    ['GET', '', 200],
    ['HEAD', '', 200],
    ['GET', 'Range: bytes=100-199\r\n', 206],
    ['GET', 'If-None-Match: "picture-1"\r\n', 304],
    ['GET', 'Range: bytes=5000-\r\n', 416],
  ])(
    'in memory has the same bytes on a connection that stays open: %s %j',
    async (method, header, status) => {
      await show();
      await show();
      const one = `${method} ${tenant.path()} HTTP/1.1\r\nHost: img.test\r\n${header}`;
      const { text } = await sendRaw(service.port, `${one}\r\n${one}\r\n${one}Connection: close\r\n\r\n`);
      const starts = [...text.matchAll(/HTTP\/1\.1 \d/g)].map(({ index }) => index);
      const responses = starts.map((start, at) =>
        text
          .slice(start, starts[at + 1])
          .replace(/(X-Request-Id|X-Runtime|Date): [^\r]+/gi, '$1')
          .replace(/"request_id":"[^"]+"/, '')
          .replace(/Connection: keep-alive\r\nKeep-Alive: timeout=\d+/, 'Connection: close'),
      );
      expect(responses[0]).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(responses).toStrictEqual([responses[0], responses[0], responses[0]]);
    },
  );

  it('has the bytes of each range, and refuses one beyond its end', async () => {
    await show();
    const part = await show({}, { headers: { Range: 'bytes=100-199' } });
    expect(part.headers['content-range']).toBe('bytes 100-199/5000');
    expect(part.body.equals(PICTURE.subarray(100, 200))).toBe(true);
    const beyond = await show({}, { headers: { Range: 'bytes=5000-' } });
    expect(problemOf(beyond)).toStrictEqual([416, 'range_not_satisfiable']);
    expect(beyond.headers['content-range']).toBe('bytes */5000');
  });

  it('that is not on the disk is fetched once for clients with validators of their own', async () => {
    const waiting: (() => void)[] = [];
    host.answer((_, response) => {
      response.writeHead(200, PICTURE_HEADERS).write(PICTURE.subarray(0, 1_000));
      waiting.push(() => response.end(PICTURE.subarray(1_000)));
    });
    const sent = await fetched(async () => {
      const early = [
        { 'If-None-Match': '"picture-1"' },
        { 'If-None-Match': '"a,b", W/"picture-1"' },
        { 'If-Modified-Since': 'Sat, 01 Aug 2026 10:00:00 GMT' },
      ].map((headers) => show({}, { headers }));
      // The image is not whole yet.
      for (const { status, headers, isWhole } of await Promise.all(early)) {
        expect([status, isWhole, headers['etag']]).toStrictEqual([304, true, '"picture-1"']);
      }
      const late = [{ 'If-None-Match': '"other"' }, {}].map((headers) => show({}, { headers }));
      waiting[0]?.();
      for (const { body } of await Promise.all(late)) expect(body.equals(PICTURE)).toBe(true);
    });
    expect(sent.map(({ headers }) => headers['if-none-match'])).toStrictEqual([undefined]);
  });

  it('that is not on the disk is there after a 304, whose client has left', async () => {
    host.answer((_, response) => {
      response.writeHead(200, PICTURE_HEADERS).write(PICTURE.subarray(0, 1_000));
      setTimeout(() => response.end(PICTURE.subarray(1_000)), 100);
    });
    const sent = await fetched(async () => {
      expect((await show({}, { headers: { 'If-None-Match': '*' } })).status).toBe(304);
      await settled();
      expect((await show()).body.equals(PICTURE)).toBe(true);
    });
    expect(sent).toHaveLength(1);
  });

  it('of which a client requests the head is not fetched', async () => {
    const sent = await fetched(async () => {
      expect(await show({}, { method: 'HEAD' })).toMatchObject({ status: 200, isWhole: true });
      host.answer((_, response) => response.writeHead(304, { ETag: '"picture-1"' }).end());
      const conditional = { method: 'HEAD', headers: { 'If-None-Match': '"picture-1"' } };
      expect(await show({}, conditional)).toMatchObject({ status: 304, isWhole: true });
    });
    expect(sent.map(({ method, headers }) => [method, headers['if-none-match']])).toStrictEqual([
      ['HEAD', undefined],
      ['HEAD', '"picture-1"'],
    ]);
  });

  it.each([
    [{ Range: 'bytes=0-' }, 206, 'bytes 0-4999/5000', PICTURE],
    [{ Range: 'bytes=1-9', 'If-Range': '"picture-1"' }, 206, 'bytes 1-9/5000', PICTURE.subarray(1, 10)],
    [{ Range: 'bytes=1-9', 'If-Range': '"other"' }, 200, undefined, PICTURE],
    [{ Range: 'bytes=-7' }, 206, 'bytes 4993-4999/5000', PICTURE.subarray(4_993)],
    [{ Range: 'bytes=0-0,5-9' }, 200, undefined, PICTURE],
    [{ Range: 'bytes=9999-' }, 416, 'bytes */5000', null],
  ] as [Record<string, string>, number, string | undefined, Buffer | null][])(
    'that is not on the disk is fetched whole and once for %j, with %i',
    async (headers, status, contentRange, bytes) => {
      // Its end comes once the client has its part.
      host.answer((_, response) => {
        response.writeHead(200, PICTURE_HEADERS).write(PICTURE.subarray(0, 2_000));
        setTimeout(() => response.end(PICTURE.subarray(2_000)), 100);
      });
      const sent = await fetched(async () => {
        for (let times = 0; times < 2; times += 1) {
          const received = await show({}, { headers });
          expect(received).toMatchObject({ status, isWhole: true });
          expect(received.headers['content-range']).toBe(contentRange);
          if (bytes === null) expect(problemOf(received)).toStrictEqual([416, 'range_not_satisfiable']);
          else expect(received.body.equals(bytes)).toBe(true);
          await settled();
        }
        expect((await show()).body.equals(PICTURE)).toBe(true);
      });
      expect(sent.map((one) => [one.headers.range, one.headers['if-range']])).toStrictEqual([
        [undefined, undefined],
      ]);
    },
  );

  it('without a length is delivered with the length of the whole', async () => {
    host.answer((_, response) => {
      response.writeHead(200, { 'Content-Type': 'image/webp' });
      response.write(PICTURE.subarray(0, 10));
      response.end(PICTURE.subarray(10));
    });
    const { headers, body, isWhole } = await show();
    expect([headers['content-length'], isWhole]).toStrictEqual(['5000', true]);
    expect(body.equals(PICTURE)).toBe(true);
  });

  it.each([
    ['no-store', 2],
    ['no-cache', 2],
    ['max-age=0', 2],
    ['private, max-age=1000', 1],
    ['', 1],
  ])('with Cache-Control %j is fetched %i times for two views', async (control, times) => {
    host.answer((_, response) => {
      response.writeHead(200, { ...PICTURE_HEADERS, 'Cache-Control': control }).end(PICTURE);
    });
    expect(await fetched(async () => (await show(), await settled(), await show()))).toHaveLength(times);
  });

  it.each([
    [{}, 'attachment'],
    [{ download: false }, 'inline'],
    [{ download: false, filename: 'red shoes.jpg' }, 'inline; filename="red shoes.jpg"'],
    [
      { filename: 'Größe ☂ 東京.jpg' },
      `attachment; filename="Gr??e ? ??.jpg"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%E2%98%82%20%E6%9D%B1%E4%BA%AC.jpg`,
    ],
    [{ filename: '../..\\etc/passwd' }, 'attachment; filename=_.._etc_passwd'],
    [{ filename: 'a\r\nSet-Cookie: b\u0000\u202egpj.exe' }, 'attachment; filename="aSet-Cookie: bgpj.exe"'],
    [{ filename: 'a";b=\\"c' }, String.raw`attachment; filename="a\";b=_\"c"`],
    [{ filename: '\ud800' }, 'attachment'],
    [{ filename: '' }, 'attachment'],
    [{ filename: 7 }, 'attachment'],
  ])('is named by the token: %j', async (sharinpix, disposition) => {
    expect((await show({ sharinpix })).headers['content-disposition']).toBe(disposition);
  });

  it('that is public is delivered without a token', async () => {
    const open = await createRandomTenant(service, 'public');
    const policy = { delivery: 'proxy' };
    await service.admin('PATCH', `/issuers/${open.issuerId}`, { policy });
    const [sent] = await fetched(async () => {
      const { status, body } = await view(service.port, `/images/${open.imageId}?width=40`);
      expect([status, body.equals(PICTURE)]).toStrictEqual([200, true]);
    });
    expect(sent?.url).toContain('/w_40/');
  });

  it('is refused as a redirect is, at each view', async () => {
    const claims = { jti: 'one', session_id: 'two' };
    expect((await show(claims)).status).toBe(200);
    await post(service, `/issuers/${tenant.issuerId}/revocations`, { jti: 'one' });
    expect(problemOf(await show(claims))).toStrictEqual([401, 'invalid_token']);
    expect((await show({ session_id: 'two' })).status).toBe(200);
    const expired = { exp: Math.floor(Date.now() / 1000) - 31 };
    expect(problemOf(await show(expired))).toStrictEqual([401, 'invalid_token']);
    await service.admin('DELETE', `/images/${tenant.imageId}`);
    expect(problemOf(await show({ session_id: 'two' }))).toStrictEqual([410, 'image_deleted']);
  });
});

describe('an original that the policy delivers as a download', () => {
  it('is fetched by its link at each view, and never cached', async () => {
    await setPolicy({ delivery: 'proxy', original: 'download' });
    const sent = await fetched(async () => {
      for (const download of [true, false]) {
        const { headers, body } = await show({ sharinpix: { original: true, download, filename: 'o.png' } });
        expect(body.equals(PICTURE)).toBe(true);
        expect(headers['content-disposition']).toBe(`${download ? 'attachment' : 'inline'}; filename=o.png`);
      }
    });
    expect(sent.map(({ headers }) => headers.host)).toStrictEqual([
      'api.cloudinary.com',
      'api.cloudinary.com',
    ]);
    expect(sent[0]?.url).toContain(`/v1_1/${CLOUD}/image/download?`);
  });

  it('is not read again if the account’s host says that the client has it', async () => {
    await setPolicy({ delivery: 'proxy', original: 'download' });
    host.answer((_, response) => response.writeHead(304, { ETag: '"picture-1"' }).end());
    const sent = await fetched(async () => {
      const headers = { 'If-None-Match': '"picture-1"' };
      const received = await show({ sharinpix: { original: true } }, { headers });
      expect(received).toMatchObject({ status: 304, isWhole: true });
    });
    expect(sent.map(({ headers }) => headers['if-none-match'])).toStrictEqual(['"picture-1"']);
  });
});

describe('the URLs of a proxied image', () => {
  it('are those of this service, in a delivery and in an explanation', async () => {
    const token = tenant.sign({ transformations: [{ width: 20 }] });
    const own = `http://127.0.0.1:${service.port}/images/${tenant.imageId}?token=${token}`;
    const deliveries = [{ image_id: tenant.imageId, token }];
    const bulk = await request({
      port: service.port,
      path: '/deliveries',
      method: 'POST',
      body: { deliveries },
    });
    expect(bulk.json()).toStrictEqual({
      deliveries: [{ image_id: tenant.imageId, url: own, location: own }],
    });
    const explained = await service.get(`/images/${tenant.imageId}/explain?token=${token}`);
    expect(explained.json()).toMatchObject({ url: own, location: own, policy: { delivery: 'proxy' } });
    for (const { text } of [bulk, explained]) expect(text).not.toMatch(/s--|cloudinary/);
  });

  it('of a public image have its parameters', async () => {
    const open = await createRandomTenant(service, 'public');
    await service.admin('PATCH', `/issuers/${open.issuerId}`, { policy: { delivery: 'proxy' } });
    const explained = await service.get(`/images/${open.imageId}/explain?width=40&crop=fit&x=1`);
    expect(explained.json()).toMatchObject({
      url: `http://127.0.0.1:${service.port}/images/${open.imageId}?width=40&crop=fit`,
    });
  });
});

describe('a response of the account’s host', () => {
  const answers: [string, number, Record<string, string>, string | Buffer, [number, string], string][] = [
    [
      'a page',
      200,
      { 'Content-Type': 'text/html' },
      '<script>',
      [502, 'upstream_failed'],
      'The image could not be fetched: the response is not an image.',
    ],
    [
      'no type',
      200,
      {},
      'x',
      [502, 'upstream_failed'],
      'The image could not be fetched: the response is not an image.',
    ],
    [
      'an encoded image',
      200,
      { 'Content-Type': 'image/svg+xml', 'Content-Encoding': 'gzip' },
      'x',
      [502, 'upstream_failed'],
      'The image could not be fetched: the response is encoded.',
    ],
    [
      'an empty image',
      200,
      { 'Content-Type': 'image/png', 'Content-Length': '0' },
      '',
      [502, 'upstream_failed'],
      'The image could not be fetched: the response is empty.',
    ],
    [
      'an announced 26 MiB',
      200,
      { 'Content-Type': 'image/png', 'Content-Length': String(26 * 2 ** 20) },
      'x',
      [502, 'upstream_failed'],
      'The image could not be fetched: the image is over 25 MiB.',
    ],
    [
      'a redirect',
      302,
      { Location: 'http://127.0.0.1:1/' },
      '',
      [502, 'upstream_failed'],
      'The image could not be fetched: Cloudinary responded with 302.',
    ],
    [
      'a part that was not requested',
      206,
      { 'Content-Type': 'image/png', 'Content-Range': 'bytes 0-0/9' },
      'x',
      [502, 'upstream_failed'],
      'The image could not be fetched: Cloudinary responded with 206.',
    ],
    [
      '304 to no condition',
      304,
      {},
      '',
      [502, 'upstream_failed'],
      'The image could not be fetched: Cloudinary responded with 304.',
    ],
    [
      '401',
      401,
      { 'X-Cld-Error': 'Invalid Signature s--abcdefgh--. String to sign - ‘x’' },
      '',
      [502, 'upstream_failed'],
      '',
    ],
    [
      '400',
      400,
      { 'X-Cld-Error': 'Invalid transformation in https://res.cloudinary.com/x/s--y--/z: w_0' },
      '',
      [502, 'upstream_failed'],
      'The image could not be fetched: Cloudinary responded with 400: Invalid transformation in ... w_0.',
    ],
    [
      '503',
      503,
      {},
      '',
      [502, 'upstream_failed'],
      'The image could not be fetched: Cloudinary responded with 503.',
    ],
    [
      '404',
      404,
      { 'X-Cld-Error': 'Resource not found - image' },
      '',
      [404, 'original_missing'],
      'Cloudinary has no original of this image. Upload it, or delete the image.',
    ],
  ];
  it.each(answers)('that is %s is not passed on', async (_, status, headers, body, expected, detail) => {
    host.answer((__, response) => {
      for (const [name, value] of Object.entries(headers))
        response.setHeader(name, Buffer.from(value).toString('latin1'));
      response.writeHead(status).end(body);
    });
    for (const method of ['GET', 'HEAD']) {
      const received = await show({}, { method });
      expect(received).toMatchObject({ status: expected[0], isWhole: true });
      expect(received.headers['cache-control']).toBe('no-cache, no-store');
      if (method === 'HEAD') continue;
      expect(problemOf(received)).toStrictEqual(expected);
      const problem = JSON.parse(received.body.toString()) as { detail: string };
      expect(problem.detail).not.toMatch(/s--|https?:|[^\x20-\x7e]/);
      if (detail !== '') expect(problem.detail).toBe(detail);
    }
    // Nothing of it is cached.
    host.answer(sendPicture);
    expect((await show()).body.equals(PICTURE)).toBe(true);
  });

  it('has no header of its own passed on but its validators', async () => {
    host.answer((_, response) => {
      response
        .writeHead(200, {
          ...PICTURE_HEADERS,
          'Content-Type': 'IMAGE/SVG+XML; charset=utf-8',
          'Set-Cookie': 'a=b',
          'Content-Disposition': 'attachment; filename="theirs"',
          Server: 'Cloudinary',
          'X-Cld-Error': 'x',
          Link: '<https://res.cloudinary.com/s--x--/y>; rel=canonical',
        })
        .end(PICTURE);
    });
    const { headers } = await show();
    expect(headers['content-type']).toBe('image/svg+xml');
    for (const name of ['set-cookie', 'server', 'x-cld-error', 'link']) expect(headers[name]).toBeUndefined();
    expect(headers['content-disposition']).toBe('attachment');
  });
});

describe('the metrics of the proxy', () => {
  it('count its images, bytes, fetches and failures', async () => {
    const read = async (): Promise<number[]> => {
      const lines = await readMetrics(service.port);
      return [
        sumOf(lines, 'pixseal_proxied_images_total', { cache: 'miss' }),
        sumOf(lines, 'pixseal_proxied_images_total', { cache: 'hit' }),
        sumOf(lines, 'pixseal_proxied_bytes_total'),
        sumOf(lines, 'pixseal_upstream_duration_seconds_count'),
        sumOf(lines, 'pixseal_upstream_failures_total', { code: 'original_missing' }),
      ];
    };
    const before = await read();
    await show();
    await settled();
    await show();
    await show({}, { method: 'HEAD' });
    host.answer((_, response) => response.writeHead(404).end());
    await show({ transformations: [{ width: 9 }] });
    // A fetch is counted after its last byte.
    await expect
      .poll(async () => (await read()).map((value, index) => value - (before[index] ?? 0)))
      .toStrictEqual([2, 2, 10_000, 2, 1]);
    const gauges = sumOf(await readMetrics(service.port), 'pixseal_upstream_fetches');
    expect(gauges).toBe(0);
  });
});

describe('a foreign or a missing image', () => {
  it('gets the same response, and nothing is fetched', async () => {
    const other = await createRandomTenant(service);
    const sent = await fetched(async () => {
      const responses = await Promise.all(
        [other.imageId, '161400d0-c894-42fd-8100-262361ea91ff'].map((id) =>
          service.get(`/images/${id}?token=${tenant.sign()}`),
        ),
      );
      expect(responses.map(({ status }) => status)).toStrictEqual([404, 404]);
      const [foreign, missing] = responses.map(comparable);
      expect(foreign).toStrictEqual(missing);
    });
    expect(sent).toStrictEqual([]);
  });
});

describe('with PROXY=off', () => {
  it('no URL of the issuer is handed out', async () => {
    const off = await startService({ DELIVERY_MODE: 'cloudinary', PROXY_UPSTREAM: host.origin });
    try {
      const closed = await createRandomTenant(off);
      await off.admin('PATCH', `/issuers/${closed.issuerId}`, { policy: { delivery: 'proxy' } });
      const token = closed.sign();
      const body = problem(
        503,
        'proxy_disabled',
        'The issuer’s policy delivers images through this service, which is turned off. Its operator must set PROXY=on.',
      );
      const sent = await fetched(async () => {
        for (const path of [closed.path(), `/images/${closed.imageId}/explain?token=${token}`]) {
          const response = await off.get(path);
          expect([response.status, response.headers.location, response.json()]).toStrictEqual([
            503,
            undefined,
            body,
          ]);
        }
        const deliveries = [{ image_id: closed.imageId, token }];
        const bulk = await request({
          port: off.port,
          path: '/deliveries',
          method: 'POST',
          body: { deliveries },
        });
        expect(bulk.json()).toStrictEqual({ deliveries: [{ image_id: closed.imageId, problem: body }] });
      });
      expect(sent).toStrictEqual([]);
    } finally {
      await off.close();
    }
  });
});

describe('in mode blank', () => {
  it('the blank image is delivered', async () => {
    const blank = await startService({ PROXY: 'on' });
    try {
      const closed = await createRandomTenant(blank);
      await blank.admin('PATCH', `/issuers/${closed.issuerId}`, { policy: { delivery: 'proxy' } });
      const { status, headers, body } = await view(blank.port, closed.path());
      expect(status).toBe(200);
      expect(headers).toMatchObject({ 'content-type': 'image/jpeg', etag: '"blank"' });
      expect(body.subarray(0, 2).toString('hex')).toBe('ffd8');
    } finally {
      await blank.close();
    }
  });
});

describe('in mode local', () => {
  it('what the renderer creates is delivered, and its refusals are problems', async () => {
    const local = await startService({ DELIVERY_MODE: 'local', PROXY: 'on' });
    try {
      const secret = await uploadSeed(local);
      const patched = await local.admin('PATCH', `/issuers/${SEED.issuerId}`, {
        policy: { delivery: 'proxy' },
      });
      expect(patched.status).toBe(200);
      const pathOf = (claims: object): string =>
        `/images/${SEED.imageId}?token=${signWith(secret, { iss: SEED.issuerId, ...claims })}`;
      const claims = { transformations: SEED.transformations, sharinpix: { filename: 'größe.jpg' } };
      const { status, headers, body } = await view(local.port, pathOf(claims));
      expect(status).toBe(200);
      expect(await measure(body)).toStrictEqual({ width: 101, height: 67, format: 'jpeg' });
      expect(headers).toMatchObject({
        'cache-control': 'private, max-age=0, must-revalidate',
        'content-security-policy': "sandbox; default-src 'none'",
        'content-disposition': `attachment; filename="gr??e.jpg"; filename*=UTF-8''gr%C3%B6%C3%9Fe.jpg`,
      });
      const etag = headers['etag'] ?? '';
      const again = await view(local.port, pathOf(claims), { headers: { 'If-None-Match': etag } });
      expect([again.status, again.isWhole]).toStrictEqual([304, true]);
      const part = await view(local.port, pathOf(claims), { headers: { Range: 'bytes=2-5' } });
      expect([part.status, part.body.equals(body.subarray(2, 6))]).toStrictEqual([206, true]);

      const { id } = await post<{ id: string }>(local, '/images', {
        issuer_id: SEED.issuerId,
        public_id: 'without_original',
        version: 1,
      });
      const token = signWith(secret, { iss: SEED.issuerId });
      expect(problemOf(await view(local.port, `/images/${id}?token=${token}`))).toStrictEqual([
        404,
        'original_missing',
      ]);
      const unsupported = { transformations: [{ effect: 'gen_restore' }] };
      expect(problemOf(await view(local.port, pathOf(unsupported)))).toStrictEqual([502, 'upstream_failed']);
    } finally {
      await local.close();
    }
  });
});
