import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { AuditFilters, AuditPage, Backend } from './backend.js';
import { UsageError } from './cli.errors.js';
import { addGlobalOptions, withBackend, type GlobalOptions } from './global-options.js';
import { printable, printNext, printResult } from './output.js';

interface TailOptions extends GlobalOptions {
  readonly lines: string;
  readonly follow?: true;
  readonly issuer?: string;
  readonly action?: string;
  readonly row?: string;
}

type Entry = AuditPage['items'][number];

/** The admin API's limit of a page. */
const MAX_LINES = 100;
/** Milliseconds between two reads of the log. */
const INTERVAL = 1_000;
/** Ids of printed entries. */
const MAX_REMEMBERED = 1_000;

export function addAuditCommands(program: Command): void {
  const audit = program.command('audit').description('read the audit log');
  addGlobalOptions(
    audit
      .command('tail')
      .summary('print the last writes, and follow them')
      .description(
        'Prints the last writes of the audit log, the newest last: time, actor, action and the id of the row.\n' +
          'With --json each entry has the row before and after. With --follow it prints new writes until it is stopped, ' +
          'with --json one object a line.',
      )
      .option('--lines <count>', `how many of the past, 1 to ${MAX_LINES}`, '20')
      .option('--follow', 'print new writes as they happen')
      .option('--issuer <uuid>', 'only writes on rows of this issuer')
      .option('--action <action>', 'only writes with this action, such as image.update')
      .option('--row <id>', 'only writes on the row with this id'),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ pixseal audit tail --lines 100 --json | jq '.[] | select(.actor != "cli")'
  $ pixseal audit tail --follow --action issuer_key.delete`,
    )
    .action(tailAudit);
}

async function tailAudit(options: TailOptions): Promise<void> {
  const limit = /^\d+$/.test(options.lines) ? Number(options.lines) : 0;
  if (limit < 1 || limit > MAX_LINES) {
    throw new UsageError(`--lines must be a whole number from 1 to ${MAX_LINES}.`);
  }
  const filters = {
    limit,
    ...(options.issuer === undefined ? {} : { issuer_id: options.issuer }),
    ...(options.action === undefined ? {} : { action: options.action }),
    ...(options.row === undefined ? {} : { row_id: options.row }),
  };
  await withBackend(options, async (backend) => {
    const { items } = await backend.listAudit(filters);
    const entries = items.toReversed();
    if (options.follow !== true) {
      printResult(entries, () => entries.map(formatEntry));
      return;
    }
    // An embedded database must be closed.
    const ending = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        ending.abort();
      });
    }
    const follower = new Follower(backend, filters);
    follower.print(entries);
    const wait = (): Promise<boolean> => sleep(INTERVAL, true, { signal: ending.signal }).catch(() => false);
    while (await wait()) follower.print(await follower.readNext());
  });
}

/** Prints each entry once. Of two transactions, the one with the lower id may commit later. */
class Follower {
  private readonly printed = new Set<string>();
  /** Entries before the first one are not printed. */
  private first = 0n;

  constructor(
    private readonly backend: Backend,
    private readonly filters: AuditFilters,
  ) {}

  print(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (this.printed.size === 0) this.first = BigInt(entry.id);
      printNext(entry, () => formatEntry(entry));
      this.printed.add(entry.id);
    }
    const surplus = this.printed.size - MAX_REMEMBERED;
    for (const id of [...this.printed].slice(0, Math.max(0, surplus))) this.printed.delete(id);
  }

  /** The entries that were not printed, the oldest first. */
  async readNext(): Promise<Entry[]> {
    const entries: Entry[] = [];
    let cursor: string | null = null;
    do {
      const page: AuditPage = await this.backend.listAudit({
        ...this.filters,
        limit: MAX_LINES,
        ...(cursor === null ? {} : { cursor }),
      });
      const fresh = page.items.filter(({ id }) => BigInt(id) > this.first && !this.printed.has(id));
      entries.push(...fresh);
      cursor = fresh.length === page.items.length ? page.next_cursor : null;
    } while (cursor !== null);
    return entries.toReversed();
  }
}

function formatEntry({ at, actor, action, row_id: row }: Entry): string {
  return printable(`${at}  ${actor}  ${action}  ${row ?? '-'}`);
}
