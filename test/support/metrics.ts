import { request } from './http.js';
import { ADMIN_KEY } from './service.js';

/** A line of Prometheus's text format. */
export interface MetricLine {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Parses Prometheus's text format. @throws if a line is malformed. */
export function parseMetrics(text: string): readonly MetricLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', labels = '', value = ''] =
        /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (Na[Nn]|[+-]Inf|[\d.e+-]+)$/.exec(line) ?? [];
      if (name === '') throw new Error(`Not a metric: ${line}`);
      return {
        name,
        labels: Object.fromEntries(
          [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', word = '']) => [key, word]),
        ),
        value: Number(value.replace('Inf', 'Infinity')),
      };
    });
}

/** A service's current metrics, as an operator's Prometheus requests them. */
export async function readMetrics(port: number): Promise<readonly MetricLine[]> {
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  const response = await request({ port, path: '/metrics', headers });
  if (response.status !== 200) throw new Error(`/metrics failed: ${response.status} ${response.text}`);
  return parseMetrics(response.text);
}

/** The sum of a metric's values with these labels. */
export function sumOf(
  lines: readonly MetricLine[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  return lines
    .filter(
      (line) =>
        line.name === name && Object.entries(labels).every(([key, word]) => line.labels[key] === word),
    )
    .reduce((sum, { value }) => sum + value, 0);
}
