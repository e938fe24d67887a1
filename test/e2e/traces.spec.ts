import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { diag, DiagLogLevel } from '@opentelemetry/api';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { sendForm } from '../originals/form.js';
import { startUploadApi, type UploadApi } from '../originals/upload-api.js';
import { startCollector, type CollectedSpan, type Collector } from '../support/collector.js';
import { comparable, sendRaw } from '../support/http.js';
import { getPicture, uploadPictures } from '../support/pictures.js';
import { createRandomTenant, post, signWith, type Tenant } from '../support/seed.js';
import { startServiceProcess } from '../support/service-process.js';
import { API_SECRET, CLOUD, startService, TEST_VARIABLES, type Service } from '../support/service.js';
import { createTestDatabase } from '../support/test-database.js';
import { drawWatermark } from '../../src/operations/demo/drawings.js';

const SERVER = 2;
const ERROR = 2;

let collector: Collector;
let service: Service;
let tenant: Tenant;

beforeAll(async () => {
  collector = await startCollector();
  service = await startService({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-collector-key=a%20key',
  });
  tenant = await createRandomTenant(service);
});
afterAll(async () => {
  await service.close();
  await collector.close();
});

interface Caller {
  readonly traceId: string;
  readonly spanId: string;
  readonly headers: { readonly traceparent: string };
}

/** A client with a trace of its own. */
function createCaller(flags = '01'): Caller {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-${flags}` } };
}

/** The spans of a trace, once it contains a request's span: batches are sent every few seconds. */
async function spansOf({ traceId }: Caller, of = collector): Promise<readonly CollectedSpan[]> {
  const found = (): readonly CollectedSpan[] => of.spans().filter((span) => span.traceId === traceId);
  await expect.poll(() => found().some(({ kind }) => kind === SERVER), { timeout: 30_000 }).toBe(true);
  return found();
}

const childrenOf = (
  parent: CollectedSpan | undefined,
  all: readonly CollectedSpan[],
): readonly CollectedSpan[] => all.filter(({ parentSpanId }) => parentSpanId === parent?.spanId);

describe('a request’s trace', () => {
  it('continues the caller’s, with the look-ups as children', async () => {
    const caller = createCaller();
    const uncached = await createRandomTenant(service);
    const path = uncached.path({ transformations: [{ overlay: uncached.overlayId }], jti: 'one' });
    expect((await service.get(path, caller.headers)).status).toBe(302);
    const spans = await spansOf(caller);
    const [request] = spans.filter(({ kind }) => kind === SERVER);
    expect(request).toMatchObject({
      service: 'pixseal',
      name: 'GET /images/:image_id',
      parentSpanId: caller.spanId,
      attributes: {
        'http.request.method': 'GET',
        'http.route': '/images/:image_id',
        'http.response.status_code': 302,
        'pixseal.issuer_id': uncached.issuerId,
      },
    });
    const names = childrenOf(request, spans).map(({ name }) => name);
    expect(names.sort()).toStrictEqual([
      'look up image',
      'look up issuer',
      'look up overlay',
      'look up revocations',
    ]);
    expect(spans).toHaveLength(5);
    expect(collector.received()).toContain('x-collector-key\na key\n');
  });

  it('exists for every redirect of a URL that is requested repeatedly', async () => {
    const path = tenant.path();
    for (let times = 0; times < 3; times += 1) {
      const caller = createCaller();
      expect((await service.get(path, caller.headers)).status).toBe(302);
      expect((await spansOf(caller)).filter(({ kind }) => kind === SERVER)).toHaveLength(1);
    }
  });

  it('has the problem’s code, and is an error only if the service is at fault', async () => {
    const caller = createCaller();
    expect((await service.get(`/images/${tenant.imageId}?token=a.b.c`, caller.headers)).status).toBe(401);
    const [request] = await spansOf(caller);
    expect(request).toMatchObject({
      status: 0,
      attributes: { 'http.response.status_code': 401, 'pixseal.problem_code': 'invalid_token' },
    });
    expect(request?.status).not.toBe(ERROR);
  });

  it('exists for explain, deliveries and the admin API, by their routes', async () => {
    const operations: readonly (readonly [
      name: string,
      sendRequest: (headers: Record<string, string>) => Promise<unknown>,
    ])[] = [
      [
        'GET /images/:image_id/explain',
        (headers) => service.get(tenant.path().replace('?', '/explain?'), headers),
      ],
      [
        'POST /deliveries',
        (headers) =>
          fetch(`${service.url}/deliveries`, {
            method: 'POST',
            headers: { ...headers, 'content-type': 'application/json' },
            body: JSON.stringify({ deliveries: [{ image_id: tenant.imageId, token: tenant.sign() }] }),
          }),
      ],
      [
        'GET /admin/issuers/:id',
        (headers) => service.admin('GET', `/issuers/${tenant.issuerId}`, undefined, headers),
      ],
    ];
    for (const [name, sendRequest] of operations) {
      const caller = createCaller();
      await sendRequest({ ...caller.headers });
      expect((await spansOf(caller)).map((span) => span.name)).toContain(name);
    }
  });

  it('starts here if the caller has none, or a malformed one', async () => {
    const fresh = await createRandomTenant(service);
    for (const traceparent of ['', 'nonsense', `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`]) {
      const headers = traceparent === '' ? {} : { traceparent };
      expect((await service.get(fresh.path(), headers)).status).toBe(302);
    }
    const mine = (): readonly CollectedSpan[] =>
      collector
        .spans()
        .filter(
          ({ attributes, kind }) => kind === SERVER && attributes['pixseal.issuer_id'] === fresh.issuerId,
        );
    await expect.poll(() => mine().length, { timeout: 30_000 }).toBe(3);
    for (const { parentSpanId } of mine()) expect(parentSpanId).toBe('');
    expect(new Set(mine().map(({ traceId }) => traceId)).size).toBe(3);
  });

  it('is not sent if the caller’s is not sampled', async () => {
    const [unsampled, sampled] = [createCaller('00'), createCaller()];
    await service.get(tenant.path(), unsampled.headers);
    await service.get(tenant.path(), sampled.headers);
    await spansOf(sampled);
    expect(collector.spans().filter(({ traceId }) => traceId === unsampled.traceId)).toStrictEqual([]);
  });

  it('contains no token, URL, header or key', async () => {
    const caller = createCaller();
    const path = tenant.path();
    await service.get(path, { ...caller.headers, referer: `http://x${path}`, tracestate: 'a=b' });
    await spansOf(caller);
    const text = collector.received();
    for (const secret of [
      'token=',
      path.slice(-40),
      tenant.secret,
      tenant.imageId,
      's--',
      'cloudinary.com',
      'referer',
    ]) {
      expect(text.includes(secret), secret).toBe(false);
    }
  });
});

describe('an upload to Cloudinary', () => {
  let api: UploadApi;
  let uploading: Service;

  beforeAll(async () => {
    const [apiKey, apiSecret] = ['123456789012345', API_SECRET];
    api = await startUploadApi({ cloudName: CLOUD, apiKey, apiSecret });
    uploading = await startService({
      DELIVERY_MODE: 'cloudinary',
      CLOUDINARY_UPLOAD_PREFIX: api.url,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_SERVICE_NAME: 'uploading',
    });
  });
  afterAll(async () => {
    await uploading.close();
    await api.close();
  });

  it('is a span, whose id Cloudinary receives', async () => {
    const issuer = await post<{ id: string }>(uploading, '/issuers', { name: 'Uploads' });
    const file = await drawWatermark();
    const response = await sendForm(uploading, '/images', {
      issuer_id: issuer.id,
      public_id: 'traced',
      file,
    });
    expect(response.status).toBe(201);
    const [, traceId = '', spanId] =
      /^00-(\w{32})-(\w{16})-01$/.exec(String(api.headers['traceparent'])) ?? [];
    const spans = await spansOf({ traceId } as Caller);
    const upload = spans.find((span) => span.spanId === spanId);
    expect(upload).toMatchObject({ name: 'upload to Cloudinary', service: 'uploading' });
    expect(spans.find((span) => span.spanId === upload?.parentSpanId)?.name).toBe('POST /admin/images');
  });
});

describe('a render', () => {
  it('is a span below its request', async () => {
    const local = await startService({
      DELIVERY_MODE: 'local',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    });
    const issuer = await post<{ id: string; key: { secret: string } }>(local, '/issuers', { name: 'Local' });
    const { imageId } = await uploadPictures(local, issuer.id, { image: { public_id: 'rendered' } });
    const token = signWith(issuer.key.secret, { iss: issuer.id, transformations: [{ width: 20 }] });
    const { headers } = await local.get(`/images/${imageId}?token=${token}`);
    const caller = createCaller();
    expect((await getPicture(headers.location ?? '', { ...caller.headers })).status).toBe(200);
    // The last spans are sent when the service closes.
    await local.close();
    const spans = await spansOf(caller);
    const [request] = spans.filter(({ kind }) => kind === SERVER);
    expect(request?.name).toBe('GET /:cloud_name/image/:type/*');
    expect(childrenOf(request, spans).map(({ name }) => name)).toStrictEqual(['render']);
  });
});

describe('a sampler', () => {
  it('is chosen by OTEL_TRACES_SAMPLER, and may drop everything', async () => {
    const own = await startCollector();
    const silent = await startService({
      OTEL_EXPORTER_OTLP_ENDPOINT: own.url,
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0',
    });
    const other = await createRandomTenant(silent);
    expect((await silent.get(other.path(), createCaller().headers)).status).toBe(302);
    await silent.close();
    expect(own.spans()).toStrictEqual([]);
    await own.close();
  });
});

describe('a request that is not sampled', () => {
  let unsampled: Service;
  let other: Tenant;

  beforeAll(async () => {
    unsampled = await startService({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER: 'parentbased_always_off',
    });
    other = await createRandomTenant(unsampled);
  });
  afterAll(() => unsampled.close());

  /** Counts the spans that the SDK starts without recording them, as it reports to its own log. */
  const countSpans = async (work: () => Promise<void>): Promise<number> => {
    const debug = vi.fn();
    const ignore = (): void => undefined;
    const logger = { debug, verbose: ignore, info: ignore, warn: ignore, error: ignore };
    diag.setLogger(logger, { logLevel: DiagLogLevel.DEBUG, suppressOverrideMessage: true });
    try {
      await work();
    } finally {
      diag.disable();
    }
    return debug.mock.calls.filter(([text]) => /span/i.test(String(text))).length;
  };

  it.each([
    ['without a trace', {}],
    ['with a malformed one', { traceparent: 'nonsense' }],
    ['with one that is not sampled', createCaller('00').headers],
  ])('starts no span: %s', async (_name, headers) => {
    const uncached = await createRandomTenant(unsampled);
    const paths = [uncached.path({ jti: 'one' }), other.path(), other.path()];
    const spans = await countSpans(async () => {
      for (const path of paths) expect((await unsampled.get(path, headers)).status).toBe(302);
    });
    expect(spans).toBe(0);
  });

  it('enters no async context, nor does a sampled one', async () => {
    const uncached = await createRandomTenant(unsampled);
    const run = vi.spyOn(AsyncLocalStorage.prototype, 'run');
    const enter = vi.spyOn(AsyncLocalStorage.prototype, 'enterWith');
    try {
      for (const headers of [{}, createCaller('00').headers, createCaller().headers]) {
        expect((await unsampled.get(uncached.path(), headers)).status).toBe(302);
        expect((await unsampled.get(other.path(), headers)).status).toBe(302);
      }
      expect(run).not.toHaveBeenCalled();
      expect(enter).not.toHaveBeenCalled();
    } finally {
      run.mockRestore();
      enter.mockRestore();
    }
  });

  it('is in no trace of an earlier one on its connection', async () => {
    const [caller, fresh] = [createCaller(), await createRandomTenant(unsampled)];
    const head = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
    const parent = `traceparent: ${caller.headers.traceparent}\r\n`;
    const { text } = await sendRaw(
      unsampled.port,
      head(`/images/${fresh.imageId}?token=a.b.c`, parent) + head(fresh.path(), 'Connection: close\r\n'),
    );
    expect(text.match(/HTTP\/1\.1 \d+/g)).toStrictEqual(['HTTP/1.1 401', 'HTTP/1.1 302']);
    expect((await spansOf(caller)).map(({ name }) => name)).toStrictEqual(['GET /images/:image_id']);
  });

  it('sends no trace to Cloudinary', async () => {
    const [apiKey, apiSecret] = ['123456789012345', API_SECRET];
    const api = await startUploadApi({ cloudName: CLOUD, apiKey, apiSecret });
    const uploading = await startService({
      DELIVERY_MODE: 'cloudinary',
      CLOUDINARY_UPLOAD_PREFIX: api.url,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER: 'always_off',
    });
    const issuer = await post<{ id: string }>(uploading, '/issuers', { name: 'Uploads' });
    const file = await drawWatermark();
    const response = await sendForm(uploading, '/images', { issuer_id: issuer.id, public_id: 'one', file });
    expect(response.status).toBe(201);
    expect(api.headers).not.toHaveProperty('traceparent');
    await uploading.close();
    await api.close();
  });
});

describe('a missing collector', () => {
  it('changes no response, and does not keep a process alive', async () => {
    const database = await createTestDatabase();
    const deleted = await startServiceProcess({
      ...TEST_VARIABLES,
      ...database.variables,
      // No server listens there.
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    });
    const untraced = await service.get(`/images/${tenant.imageId}?token=a.b.c`);
    for (let times = 0; times < 20; times += 1) {
      const response = await fetch(`${deleted.url}/images/${tenant.imageId}?token=a.b.c`);
      expect(response.status).toBe(untraced.status);
      expect(await response.json()).toStrictEqual(untraced.json());
    }
    const started = performance.now();
    deleted.kill('SIGTERM');
    expect(await deleted.exited).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(performance.now() - started).toBeLessThan(10_000);
    await database.drop();
  });
});

describe('without OTEL_EXPORTER_OTLP_ENDPOINT', () => {
  it('responses are the same', async () => {
    const plain = await startService();
    const one = await createRandomTenant(plain);
    const path = one.path();
    const [first, traced] = [await plain.get(path), await plain.get(path, createCaller().headers)];
    expect(comparable(traced)).toStrictEqual(comparable(first));
    await plain.close();
  });
});
