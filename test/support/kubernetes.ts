import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';

/** One container of a pod, with the members that tests read. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly env?: readonly {
    readonly name: string;
    readonly valueFrom: { readonly secretKeyRef: { readonly name: string; readonly key: string } };
  }[];
  readonly envFrom?: readonly Readonly<Record<string, { readonly name: string }>>[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: unknown;
  readonly resources: { readonly requests: object; readonly limits: { readonly memory: string } };
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Selector {
  readonly matchLabels: Readonly<Record<string, string>>;
}

interface IngressRule {
  readonly host: string;
  readonly http: {
    readonly paths: readonly {
      readonly path: string;
      readonly backend: {
        readonly service: { readonly name: string; readonly port: { readonly name: string } };
      };
    }[];
  };
}

/** The objects of `deploy/kubernetes/pixseal.yaml`, one of each kind. */
export interface Manifest {
  readonly Secret: { readonly stringData: Readonly<Record<string, string>> };
  readonly ConfigMap: { readonly data: Readonly<Record<string, string>> };
  readonly Deployment: {
    readonly metadata: { readonly name: string };
    readonly spec: {
      readonly selector: Selector;
      readonly strategy: { readonly rollingUpdate: { readonly maxSurge: number } };
      readonly template: {
        readonly metadata: { readonly labels: Selector['matchLabels'] };
        readonly spec: {
          readonly securityContext: Readonly<Record<string, unknown>>;
          readonly terminationGracePeriodSeconds: number;
          readonly initContainers: readonly [Container];
          readonly containers: readonly [Container];
          readonly volumes: readonly { readonly name: string; readonly emptyDir: object }[];
        };
      };
    };
  };
  readonly Service: {
    readonly metadata: { readonly name: string };
    readonly spec: {
      readonly selector: Selector['matchLabels'];
      readonly ports: readonly { readonly name: string; readonly targetPort: string }[];
    };
  };
  readonly Ingress: {
    readonly spec: {
      readonly tls: readonly { readonly hosts: readonly string[] }[];
      readonly rules: readonly IngressRule[];
    };
  };
  readonly HorizontalPodAutoscaler: {
    readonly spec: {
      readonly scaleTargetRef: { readonly kind: string; readonly name: string };
      readonly minReplicas: number;
      readonly maxReplicas: number;
    };
  };
  readonly PodDisruptionBudget: {
    readonly spec: { readonly maxUnavailable: number; readonly selector: Selector };
  };
  readonly NetworkPolicy: {
    readonly spec: {
      readonly podSelector: Selector;
      readonly ingress: readonly { readonly ports: readonly { readonly port: string }[] }[];
    };
  };
}

/** The objects of a text of YAML documents by their kind. @throws if it is malformed, or has two objects of a kind. */
export function parseManifest(text: string): Manifest {
  const objects = parseAllDocuments(text).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return document.toJS() as { readonly kind: string };
  });
  const manifest = Object.fromEntries(objects.map((object) => [object.kind, object]));
  if (Object.keys(manifest).length !== objects.length) throw new Error('There are two objects of a kind.');
  return manifest as unknown as Manifest;
}

/** @throws if the file is malformed, or has two objects of a kind. */
export function readManifest(): Manifest {
  return parseManifest(readFileSync('deploy/kubernetes/pixseal.yaml', 'utf8'));
}

/** The settings of the service's container: those of the Secret override those of the ConfigMap. */
export function settingsOf({ ConfigMap, Secret }: Manifest): Readonly<Record<string, string>> {
  return { ...ConfigMap.data, ...Secret.stringData };
}

/** Checks objects with Kubernetes's own types. @returns the compiler's messages. */
export function findTypeFaults(objects: readonly object[]): string[] {
  const source = (objects as readonly { readonly apiVersion: string; readonly kind: string }[]).map(
    (object, index) => {
      // networking.k8s.io/v1 is in networking/v1, and v1 in core/v1.
      const [, group = 'core', version = ''] =
        /^(?:([a-z]+)[a-z0-9.]*\/)?(v\d)$/.exec(object.apiVersion) ?? [];
      const type = `import('kubernetes-types/${group}/${version}').${object.kind}`;
      return `export const object${index}: ${type} = ${JSON.stringify(object)};`;
    },
  );
  // The file is only in memory; its path determines where packages are found.
  const path = resolve('manifest.ts');
  const options = { strict: true, noEmit: true, skipLibCheck: true, types: [], lib: ['lib.es2022.d.ts'] };
  const host = ts.createCompilerHost(options);
  const program = ts.createProgram([path], options, {
    ...host,
    getSourceFile: (name, ...rest) =>
      name === path
        ? ts.createSourceFile(name, source.join('\n'), ts.ScriptTarget.ES2022)
        : host.getSourceFile(name, ...rest),
  });
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}
