import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  EnvironmentError,
  readEnvironment,
  type Environment,
} from '../../src/platform/config/environment.js';
import { findTypeFaults, readManifest, settingsOf } from '../support/kubernetes.js';
import { readDefaultPolicy } from '../../src/policy/recommended-policy.js';

const manifest = readManifest();
const { spec: pod, metadata } = manifest.Deployment.spec.template;
const [migration] = pod.initContainers;
const [service] = pod.containers;

const dockerfile = readFileSync('Dockerfile', 'utf8');
const image = Object.fromEntries(
  [...(/^ENV (.*)$/m.exec(dockerfile)?.[1] ?? '').matchAll(/(\S+)=(\S+)/g)].map(
    ([, name = '', value = '']) => [name, value],
  ),
);
const settings = settingsOf(manifest);
const FILLED_IN = {
  CLOUDINARY_URL: 'cloudinary://123456789012345:b5mNqz_Tt0Nn1EaWv9uQyS2xkRg@demo',
  ADMIN_API_KEYS: 'a'.repeat(64),
  SECRETS_KEY: '0'.repeat(64),
};

/** Reads variables like the service. @returns also the names that it reads. */
function start(variables: Readonly<Record<string, string>>): {
  readonly environment: Environment | EnvironmentError;
  readonly asked: ReadonlySet<string>;
} {
  const asked = new Set<string>();
  const watched = new Proxy(variables, {
    get: (all, name: string) => {
      asked.add(name);
      return all[name];
    },
  });
  const embedded = (): never => {
    throw new Error('This is embedded mode.');
  };
  try {
    return { environment: readEnvironment(watched, embedded, readDefaultPolicy), asked };
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    return { environment: error, asked };
  }
}

describe('the Kubernetes manifest', () => {
  it('has the members that Kubernetes knows, with values of their types', () => {
    expect(findTypeFaults(Object.values(manifest))).toStrictEqual([]);
  });

  it('fails with a misspelling, or another type', () => {
    const { Deployment, PodDisruptionBudget } = manifest;
    const spec = { ...Deployment.spec, minReadySecond: 5 };
    const [misspelt = ''] = findTypeFaults([{ ...Deployment, spec }]);
    expect(misspelt).toContain(`"minReadySecond"' does not exist in type 'DeploymentSpec'`);
    const [wrong = ''] = findTypeFaults([{ ...PodDisruptionBudget, spec: { maxUnavailable: true } }]);
    expect(wrong).toContain(`Type 'true' is not assignable to type 'string | number`);
  });
});

describe('the settings of the Kubernetes manifest', () => {
  it('are all settings of the service', () => {
    const { asked } = start({ DATABASE_URL: 'postgres://localhost/pixseal' });
    expect(asked).toContain('DATABASE_URL');
    expect(Object.keys(settings).filter((name) => !asked.has(name))).toStrictEqual([]);
  });

  it('stop the service unchanged, and name each that must be filled in', () => {
    const { environment } = start({ ...image, ...settings });
    const problems = environment instanceof EnvironmentError ? environment.problems : [];
    expect(problems.map((problem) => problem.split(' ', 1).join()).toSorted()).toStrictEqual(
      Object.keys(FILLED_IN).toSorted(),
    );
  });

  it('are production’s once those are filled in', () => {
    const { environment } = start({ ...image, ...settings, ...FILLED_IN });
    expect(environment).toMatchObject({
      host: '0.0.0.0',
      port: 3000,
      database: { kind: 'postgres' },
      deliveryMode: 'cloudinary',
      publicUrl: `https://${manifest.Ingress.spec.rules[0]?.host ?? ''}`,
      trustProxy: 1,
      docs: false,
      console: false,
      playground: false,
    });
  });

  it('have no secret in the ConfigMap', () => {
    const secrets = ['ADMIN_API_KEYS', 'CLOUDINARY_URL', 'DATABASE_URL', 'SECRETS_KEY'];
    expect(Object.keys(manifest.Secret.stringData).toSorted()).toStrictEqual(secrets);
    expect(Object.keys(manifest.ConfigMap.data)).not.toContain('CLOUDINARY_AUTH_TOKEN_KEY');
  });

  it('are all passed to the service, and to the migration those that it needs', () => {
    expect(service.envFrom).toStrictEqual([
      { configMapRef: { name: 'pixseal' } },
      { secretRef: { name: 'pixseal' } },
    ]);
    expect(migration.env).toStrictEqual([
      { name: 'DATABASE_URL', valueFrom: { secretKeyRef: { name: 'pixseal', key: 'DATABASE_URL' } } },
      {
        name: 'DATABASE_LISTEN_URL',
        valueFrom: { secretKeyRef: { name: 'pixseal', key: 'DATABASE_LISTEN_URL', optional: true } },
      },
    ]);
  });
});

describe('the pods of the Kubernetes manifest', () => {
  it('run the image and the migration of the compose file', () => {
    const compose = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true }) as {
      services: Record<'app' | 'migrate', { image: string; command: string[] }>;
    };
    expect([service.image, migration.image]).toStrictEqual([
      compose.services.app.image,
      compose.services.migrate.image,
    ]);
    expect(migration.command).toStrictEqual(compose.services.migrate.command);
    const program = migration.command?.at(-1) ?? '';
    expect(existsSync(program.replace(/^dist\/(.+)\.js$/, '$1.ts'))).toBe(true);
  });

  it('have the image’s port under the name that all others use', () => {
    expect(service.ports).toStrictEqual([{ name: 'http', containerPort: Number(image['PORT']) }]);
    const named = [
      service.startupProbe.httpGet.port,
      service.livenessProbe.httpGet.port,
      service.readinessProbe.httpGet.port,
      ...manifest.Service.spec.ports.map(({ targetPort }) => targetPort),
      ...manifest.NetworkPolicy.spec.ingress.flatMap(({ ports }) => ports.map(({ port }) => port)),
    ];
    expect(new Set(named)).toStrictEqual(new Set(['http']));
  });

  it('write only to the image’s data folder and /tmp, as a user that is not root', () => {
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      // Not a name: the kubelet cannot determine whether it is root.
      runAsUser: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    for (const container of [service, migration]) {
      expect(container.securityContext).toStrictEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
    const mounts = service.volumeMounts ?? [];
    expect(mounts.map(({ mountPath }) => mountPath).toSorted()).toStrictEqual([image['DATA_DIR'], '/tmp']);
    expect(mounts.map(({ name }) => name)).toStrictEqual(pod.volumes.map(({ name }) => name));
  });

  it('have the time that a process needs to exit', () => {
    // docs/operations.md, "Stopping a process".
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(Number(settings['DRAIN_SECONDS']) + 9);
  });

  it('are the ones that every other object selects', () => {
    const { Deployment, Service, PodDisruptionBudget, NetworkPolicy, HorizontalPodAutoscaler } = manifest;
    for (const labels of [
      Deployment.spec.selector.matchLabels,
      Service.spec.selector,
      PodDisruptionBudget.spec.selector.matchLabels,
      NetworkPolicy.spec.podSelector.matchLabels,
    ]) {
      expect(labels).toStrictEqual(metadata.labels);
    }
    expect(HorizontalPodAutoscaler.spec.scaleTargetRef).toMatchObject({
      kind: 'Deployment',
      name: Deployment.metadata.name,
    });
  });

  it('can lose one, and need at most the connections that Postgres has by default', () => {
    const { minReplicas, maxReplicas } = manifest.HorizontalPodAutoscaler.spec;
    expect(minReplicas).toBeGreaterThan(manifest.PodDisruptionBudget.spec.maxUnavailable);
    // docs/operations.md, "Capacity": 11 each. Postgres reserves three of its 100 for superusers.
    const most = maxReplicas + manifest.Deployment.spec.strategy.rollingUpdate.maxSurge;
    expect(11 * most).toBeLessThanOrEqual(97);
  });
});

describe('the Ingress of the Kubernetes manifest', () => {
  it('leads to the Service, for the host that it has a certificate for', () => {
    const { tls, rules } = manifest.Ingress.spec;
    expect(rules.map(({ host }) => host)).toStrictEqual(tls.flatMap(({ hosts }) => hosts));
    const backends = rules.flatMap(({ http }) => http.paths.map(({ backend }) => backend.service));
    for (const backend of backends) {
      expect(backend).toStrictEqual({
        name: manifest.Service.metadata.name,
        port: { name: manifest.Service.spec.ports[0]?.name },
      });
    }
  });
});
