/** Upper bounds in seconds: from a cached redirect to a render that times out. */
const BOUNDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
] as const;

/** A value of a metric as Prometheus has it. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** `_bucket`, `_sum` or `_count`; absent where the metric has one value. */
  readonly suffix?: string;
}

/** A histogram of durations. `observe` costs a few comparisons and allocates nothing. */
export class Histogram {
  private readonly counts = new Float64Array(BOUNDS.length + 1);
  private sum = 0;

  /** @param milliseconds Negative values (clock skew) count as 0. */
  observe(milliseconds: number): void {
    const seconds = milliseconds > 0 ? milliseconds / 1000 : 0;
    let index = 0;
    while (index < BOUNDS.length && seconds > (BOUNDS[index] ?? Infinity)) index += 1;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sum += seconds;
  }

  /** Cumulative buckets, sum and count. */
  samples(labels: Sample['labels'] = {}): Sample[] {
    let total = 0;
    const buckets = [...this.counts].map((count, index) => {
      total += count;
      const le = index === BOUNDS.length ? '+Inf' : String(BOUNDS[index]);
      return { labels: { le, ...labels }, value: total, suffix: '_bucket' };
    });
    return [
      ...buckets,
      { labels, value: this.sum, suffix: '_sum' },
      { labels, value: total, suffix: '_count' },
    ];
  }
}

/** A counter with labels. Values of labels come from a fixed set, never from a client. */
export class Counter<Name extends string> {
  private readonly rows = new Map<string, { readonly labels: Record<Name, string>; value: number }>();

  constructor(private readonly names: readonly Name[]) {}

  /** @param words In the order of the names. */
  add(...words: readonly string[]): void {
    const key = words.join('\n');
    let row = this.rows.get(key);
    if (row === undefined) {
      const labels = Object.fromEntries(this.names.map((name, index) => [name, words[index] ?? '']));
      row = { labels: labels as Record<Name, string>, value: 0 };
      this.rows.set(key, row);
    }
    row.value += 1;
  }

  samples(): Sample[] {
    return [...this.rows.values()].map(({ labels, value }) => ({ labels, value }));
  }
}
