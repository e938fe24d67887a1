import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { SETTINGS } from '../../src/platform/config/settings.js';
import { hasHelm, runHelm, type HelmResult } from '../support/helm.js';
import { findTypeFaults, parseManifest, readManifest, type Manifest } from '../support/kubernetes.js';
import { documentBlock } from '../support/readme.js';

const CHART = 'deploy/helm/pixseal';

type Values = Readonly<Record<string, unknown>>;

/** The values that a user must set, as those of the manifest. */
const REQUIRED: Values = {
  host: 'img.example.com',
  existingSecret: 'pixseal',
  'image.repository': 'pixseal',
  'image.tag': 'local',
};

function template(values: Values, release = 'pixseal'): HelmResult {
  const set = Object.entries(values).flatMap(([name, value]) => [
    '--set-json',
    `${name}=${JSON.stringify(value)}`,
  ]);
  return runHelm('template', release, CHART, ...set);
}

/** @throws if helm refuses the values. */
function render(values: Values = {}, release?: string): Manifest {
  const { status, stdout, stderr } = template({ ...REQUIRED, ...values }, release);
  if (status !== 0) throw new Error(stderr);
  return parseManifest(stdout);
}

/** Members that Helm adds and the manifest has no use for. */
const ADDED = new Set([
  'app.kubernetes.io/instance',
  'app.kubernetes.io/version',
  'app.kubernetes.io/managed-by',
  'helm.sh/chart',
  'annotations',
  'imagePullPolicy',
]);

const withoutAdded = (value: object): unknown =>
  JSON.parse(JSON.stringify(value, (name, member: unknown) => (ADDED.has(name) ? undefined : member)));

describe.runIf(hasHelm())('the Helm chart', () => {
  it.each([
    ['its defaults', []],
    [
      'the required values',
      Object.entries(REQUIRED).flatMap(([name, value]) => ['--set', `${name}=${String(value)}`]),
    ],
  ])('passes helm lint with %s', (_, set) => {
    const { status, stdout } = runHelm('lint', '--strict', CHART, ...set);
    expect(stdout).toContain('1 chart(s) linted, 0 chart(s) failed');
    expect(stdout).not.toMatch(/\[(?:WARNING|ERROR)\]/);
    expect(status).toBe(0);
  });

  it('renders the objects of the Kubernetes manifest, without its Secret', () => {
    const { Secret, ...expected } = readManifest();
    expect(Secret).toBeDefined();
    expect(withoutAdded(render())).toStrictEqual(expected);
  });

  it.each<[missing: string, message: string]>([
    ['host', 'Set host to the host of the public URLs, such as img.example.com.'],
    [
      'existingSecret',
      'Set existingSecret to the name of a Secret with DATABASE_URL, CLOUDINARY_URL, ADMIN_API_KEYS and SECRETS_KEY.',
    ],
    ['image.repository', 'Set image.repository to the name of the image in your registry.'],
  ])('is not rendered without %s, which the message names', (missing, message) => {
    const { status, stderr } = template({ ...REQUIRED, [missing]: '' });
    expect([status, stderr]).toStrictEqual([1, expect.stringContaining(message)]);
  });

  it.each<[values: Values, place: string]>([
    [{ replica: 3 }, "additional properties 'replica' not allowed"],
    [{ 'settings.MAX_STALE': 60 }, "at '/settings/MAX_STALE': got number, want string"],
    [{ 'settings.max_stale': '60' }, "invalid propertyName 'max_stale'"],
    [{ host: 'https://img.example.com' }, "at '/host'"],
    [{ 'image.digest': 'latest' }, "at '/image/digest'"],
    [{ 'livenessProbe.httpGet': {} }, "at '/livenessProbe'"],
  ])('refuses %j', (values, place) => {
    const { status, stderr } = template({ ...REQUIRED, ...values });
    expect([status, stderr]).toStrictEqual([1, expect.stringContaining(place)]);
  });

  it('uses every optional value', () => {
    const affinity = { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } };
    const resources = { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '2Gi' } };
    const manifest = render(
      {
        'image.digest': `sha256:${'a'.repeat(64)}`,
        'image.pullPolicy': 'Always',
        imagePullSecrets: [{ name: 'registry' }],
        existingSecret: 'own-secret',
        'settings.DRAIN_SECONDS': '40',
        'settings.PROXY_CACHE_SIZE': '10737418240',
        'settings.PUBLIC_URL': 'https://cdn.example.com',
        'autoscaling.enabled': false,
        replicas: 3,
        resources,
        'startupProbe.failureThreshold': 60,
        'volumes.data': '20Gi',
        'podDisruptionBudget.maxUnavailable': '25%',
        'ingress.className': 'nginx',
        'ingress.annotations': { 'cert-manager.io/cluster-issuer': 'letsencrypt' },
        'ingress.tlsSecretName': 'own-tls',
        'networkPolicy.egressPorts': [6543],
        podAnnotations: { 'example.com/team': 'images' },
        nodeSelector: { 'kubernetes.io/arch': 'amd64' },
        tolerations: [{ key: 'images', operator: 'Exists' }],
        affinity,
      },
      'shop',
    );
    expect(findTypeFaults(Object.values(manifest))).toStrictEqual([]);
    expect(Object.keys(manifest).toSorted()).toStrictEqual([
      ...['ConfigMap', 'Deployment', 'Ingress', 'NetworkPolicy', 'PodDisruptionBudget', 'Service'],
    ]);
    for (const object of Object.values(manifest)) {
      expect(object).toMatchObject({
        metadata: {
          name: 'shop-pixseal',
          labels: { 'app.kubernetes.io/name': 'pixseal', 'app.kubernetes.io/instance': 'shop' },
        },
      });
    }
    expect(manifest.ConfigMap.data).toStrictEqual({
      DRAIN_SECONDS: '40',
      PROXY_CACHE_SIZE: '10737418240',
      PUBLIC_URL: 'https://cdn.example.com',
      TRUST_PROXY: '1',
    });
    const image = { image: `pixseal@sha256:${'a'.repeat(64)}`, imagePullPolicy: 'Always', resources };
    const fromSecret = { valueFrom: { secretKeyRef: { name: 'own-secret' } } };
    expect(manifest.Deployment.spec).toMatchObject({
      replicas: 3,
      template: {
        metadata: { annotations: { 'example.com/team': 'images' } },
        spec: {
          terminationGracePeriodSeconds: 60,
          imagePullSecrets: [{ name: 'registry' }],
          nodeSelector: { 'kubernetes.io/arch': 'amd64' },
          tolerations: [{ key: 'images', operator: 'Exists' }],
          affinity,
          initContainers: [{ ...image, env: [fromSecret, fromSecret] }],
          containers: [
            {
              ...image,
              envFrom: [{ configMapRef: { name: 'shop-pixseal' } }, { secretRef: { name: 'own-secret' } }],
              startupProbe: {
                httpGet: { path: '/health/live', port: 'http' },
                periodSeconds: 2,
                failureThreshold: 60,
              },
            },
          ],
          volumes: [{ name: 'data', emptyDir: { sizeLimit: '20Gi' } }, { name: 'tmp' }],
        },
      },
    });
    expect(manifest.PodDisruptionBudget.spec.maxUnavailable).toBe('25%');
    expect(manifest.Ingress).toMatchObject({
      metadata: { annotations: { 'cert-manager.io/cluster-issuer': 'letsencrypt' } },
      spec: { ingressClassName: 'nginx', tls: [{ secretName: 'own-tls' }] },
    });
    expect(manifest.NetworkPolicy.spec).toMatchObject({
      egress: [{ ports: [{ port: 53, protocol: 'UDP' }, { port: 53 }, { port: 6543 }] }],
    });
  });

  it('leaves out the objects that are switched off', () => {
    const off = ['autoscaling', 'podDisruptionBudget', 'ingress', 'networkPolicy'];
    const manifest = render(Object.fromEntries(off.map((name) => [`${name}.enabled`, false])));
    expect(Object.keys(manifest).toSorted()).toStrictEqual(['ConfigMap', 'Deployment', 'Service']);
  });

  it('replaces the pods when a setting changes', () => {
    const annotations = (values: Values): unknown =>
      (render(values).Deployment.spec.template.metadata as { annotations?: unknown }).annotations;
    expect(annotations({})).toStrictEqual(annotations({}));
    expect(annotations({ 'settings.MAX_STALE': '60' })).not.toStrictEqual(annotations({}));
  });

  it('is installed by the commands of the document', () => {
    const [, install = ''] = documentBlock('docs/production.md', 'With Helm / sh 1').split(/^(?=helm )/m);
    const [, chart = '', values = ''] =
      /^helm upgrade --install pixseal (\S+) --namespace pixseal --values (\S+)$/m.exec(
        install.replaceAll(/ \\\n +/g, ' '),
      ) ?? [];
    expect([chart, values]).toStrictEqual([CHART, 'values.yaml']);
    const set = parse(documentBlock('docs/production.md', 'With Helm / yaml 1')) as Values;
    const manifest = render(set);
    expect(manifest.ConfigMap.data['PUBLIC_URL']).toBe(`https://${String(set['host'])}`);
  });

  it.each(
    Object.entries(SETTINGS).flatMap(([name, setting]) =>
      'secret' in setting
        ? [[name, `settings.${name} is a secret: put it into the Secret that existingSecret names.`]]
        : 'image' in setting
          ? [[name, `settings.${name}: the image sets ${name}, and the chart relies on it. Remove it.`]]
          : [],
    ),
  )('refuses %s among the settings', (name, message) => {
    const { status, stderr } = template({ ...REQUIRED, [`settings.${name}`]: 'x' });
    expect([status, stderr]).toStrictEqual([1, expect.stringContaining(message)]);
  });
});
