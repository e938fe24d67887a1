import { createServer } from 'node:http';
import { closeServer, listen } from './http.js';

/** A span as it was sent. */
export interface CollectedSpan {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the root span of a trace. */
  readonly parentSpanId: string;
  readonly kind: number;
  /** 2 is an error. */
  readonly status: number;
  readonly attributes: Readonly<Record<string, string | number>>;
}

/** A trace collector on this machine: OTLP over HTTP, in JSON. */
export interface Collector {
  readonly url: string;
  /** The spans received so far. */
  readonly spans: () => readonly CollectedSpan[];
  /** All bytes received, including headers. */
  readonly received: () => string;
  close(): Promise<void>;
}

interface Value {
  readonly stringValue?: string;
  readonly intValue?: number | string;
}
interface Attribute {
  readonly key: string;
  readonly value: Value;
}
interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly name: string;
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly kind: number;
        readonly status: { readonly code?: number };
        readonly attributes: readonly Attribute[];
      }[];
    }[];
  }[];
}

const read = (attributes: readonly Attribute[]): Record<string, string | number> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)] as const),
  );

/** Starts a collector on a free port. */
export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  let received = '';
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => {
      const text = Buffer.concat(chunks).toString();
      received += `${request.method} ${request.url}\n${request.rawHeaders.join('\n')}\n${text}\n`;
      const told = JSON.parse(text) as Export;
      for (const { resource, scopeSpans } of told.resourceSpans) {
        const service = String(read(resource.attributes)['service.name']);
        for (const {
          name,
          traceId,
          spanId,
          parentSpanId = '',
          kind,
          status,
          attributes,
        } of scopeSpans.flatMap((scope) => scope.spans)) {
          spans.push({
            ...{ service, name, traceId, spanId, parentSpanId, kind },
            status: status.code ?? 0,
            attributes: read(attributes),
          });
        }
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    spans: () => spans,
    received: () => received,
    close: () => closeServer(server),
  };
}
