import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { request } from '../support/http.js';
import { readManifest } from '../support/kubernetes.js';
import { startService, type Service } from '../support/service.js';

const manifest = readManifest();
const [container] = manifest.Deployment.spec.template.spec.containers;
const routed = manifest.Ingress.spec.rules.flatMap(({ http }) => http.paths.map(({ path }) => path));

let service: Service;

beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe('the Kubernetes manifest', () => {
  it('has probes that match the service’s routes', async () => {
    const { startupProbe, livenessProbe, readinessProbe } = container;
    expect(readinessProbe.httpGet.path).not.toBe(livenessProbe.httpGet.path);
    for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
      expect((await service.get(httpGet.path)).status).toBe(200);
    }
  });

  it('exposes existing routes in public, and no operator’s route', async () => {
    const methods: Readonly<Record<string, string>> = { '/images': 'GET' };
    for (const path of routed) {
      const method = methods[path] ?? 'POST';
      const requested = path === '/images' ? '/images/none' : path;
      const response = await request({
        port: service.port,
        method,
        path: requested,
        body: method === 'POST' ? {} : undefined,
      });
      expect([path, (response.json() as { code: string }).code]).not.toStrictEqual([path, 'not_found']);
    }
    for (const path of ['/admin/issuers', '/metrics', '/console', '/docs', '/health/live']) {
      expect(routed.filter((prefix) => path.startsWith(prefix))).toStrictEqual([]);
    }
  });
});
