import {
  AssetListError,
  type AccountAssets,
  type AssetPage,
  type AssetQuery,
  type ListedAsset,
} from '../cloudinary/account-assets.js';
import { findPublicIdFault } from '../transformations/public-id.js';
import { findDatabaseFault, isConflict } from '../platform/database/database-fault.js';
import { DatabaseUnavailableError } from '../domain/database.errors.js';
import { ProblemError } from '../domain/problem.error.js';
import type { Backend, RowFilters } from './backend.js';
import { CommandFailedError } from './cli.errors.js';

/** Rows written concurrently. */
const WRITERS = 8;
/** Attempts for a failing page, and milliseconds before the second one; the pause doubles each time. */
const TRIES = 5;
const FIRST_PAUSE = 500;
/** Milliseconds between two attempts if Cloudinary does not report when its rate limit resets. */
const LONGEST_PAUSE = 60_000;
/** Refusals of one page by the rate limit: more than in an hour. */
const MAX_REFUSALS = 100;
/** Restarts from the first page, if cursors expire. */
const MAX_BEGINNINGS = 3;
/** Codes of a service that is overloaded. */
const BUSY = new Set(['too_many_requests', 'overloaded', 'database_unavailable']);

export interface ImportRequest {
  readonly issuerId: string;
  readonly query: AssetQuery;
  readonly access: string | undefined;
  /** Write nothing. */
  readonly dryRun: boolean;
}

/** The result of an import; in a dry run, the expected one. */
export interface ImportResult {
  registered: number;
  updated: number;
  unchanged: number;
  /** Public ids that were retained for the issuer and whose assets no longer exist in the account. */
  released: number;
  /** Public ids that belong to, or are retained for, another issuer. */
  readonly conflicts: string[];
  /** Public ids that cannot be registered, and why. */
  readonly refused: { readonly public_id: string; readonly detail: string }[];
}

/** Receives the progress of an import. */
export interface ImportProgress {
  /** The cursor of an interrupted import; null for the first page. */
  readonly cursor: string | null;
  /** An image was processed. */
  imageDone(): void;
  /** A page was processed: the next import may continue after it. */
  pageDone(cursor: string | null): void;
  /** The cursor has expired: the import starts again, and leaves registered images unchanged. */
  restarted(): void;
  waiting(reason: string, until: Date): void;
}

/** The issuer's row with this public id. */
interface Registered {
  /** Null for an overlay and for a deleted image. */
  readonly id: string | null;
  readonly version: number;
}

/** Registers the images of an account for an issuer, page by page. It may be interrupted and run again. */
export class ImageImport {
  readonly result: ImportResult = {
    registered: 0,
    updated: 0,
    unchanged: 0,
    released: 0,
    conflicts: [],
    refused: [],
  };
  private readonly registered = new Map<string, Registered>();
  /** Ids of the issuer's retentions without an asset so far, by public id. */
  private readonly unseen = new Map<string, string>();
  /** Assets with the version of a row: they prove that the rows belong to this account. */
  private matches = 0;
  private beginnings = 1;

  constructor(
    private readonly backend: Backend,
    private readonly account: Pick<AccountAssets, 'listPage' | 'exists'>,
    private readonly request: ImportRequest,
    private readonly progress: ImportProgress,
  ) {}

  /**
   * @throws CommandFailedError if Cloudinary returns no more pages; ProblemError of a write, or for an unknown issuer.
   */
  async run(): Promise<ImportResult> {
    await this.withRetryWhenBusy(() => this.readRegistered());
    let { cursor } = this.progress;
    // A resumed walk, or one of a tag or folder, has not seen all assets.
    const { tag, folder } = this.request.query;
    if (cursor === null && tag === undefined && folder === undefined)
      await this.withRetryWhenBusy(() => this.readRetained());
    let page: AssetPage;
    do {
      page = await this.nextPage(cursor);
      const queue = [...page.assets];
      const write = async (): Promise<void> => {
        for (let asset = queue.shift(); asset !== undefined; asset = queue.shift()) {
          await this.withRetryWhenBusy(() => this.take(asset));
          this.progress.imageDone();
        }
      };
      await Promise.all(Array.from({ length: WRITERS }, write));
      cursor = page.nextCursor;
      this.progress.pageDone(cursor);
      if (cursor !== null && page.rateResetsAt !== null)
        await this.rest('Cloudinary’s rate limit', page.rateResetsAt);
    } while (cursor !== null);
    await this.releaseAbsent();
    return this.result;
  }

  private async readRetained(): Promise<void> {
    const { type, prefix = '' } = this.request.query;
    for (const row of await this.backend.listRetainedPublicIds({ issuer_id: this.request.issuerId })) {
      if (row.delivery_type === type && row.public_id.startsWith(prefix))
        this.unseen.set(row.public_id, row.id);
    }
  }

  /**
   * Releases public ids that are retained for the issuer and absent from the account. The list of a large account lags
   * behind, so each is looked up by name. In another account all would be absent: without a known image nothing is
   * released.
   */
  private async releaseAbsent(): Promise<void> {
    if (this.matches === 0) return;
    for (const [publicId, id] of this.unseen) {
      const exists = await this.withRetry(() => this.account.exists(this.request.query.type, publicId));
      if (exists) continue;
      if (!this.request.dryRun) {
        try {
          await this.withRetryWhenBusy(() => this.backend.releasePublicId(id));
        } catch (error) {
          if (!(error instanceof ProblemError)) throw error;
          // Only an operator may release them: an admin key of the issuer may not.
          if (error.code === 'insufficient_scope') return;
          // It was released or registered in the meantime.
          if (error.code !== 'public_id_not_retained') throw error;
          continue;
        }
      }
      this.result.released += 1;
    }
  }

  private async readRegistered(): Promise<void> {
    const filters: RowFilters = { issuer_id: this.request.issuerId };
    const { type } = this.request.query;
    // Deleted images stay deleted, unless the account has a newer version.
    for (const row of await this.backend.images.list({ ...filters, state: 'deleted' })) {
      const version = Math.max(row.version, this.registered.get(row.public_id)?.version ?? 0);
      if (row.delivery_type === type) this.registered.set(row.public_id, { id: null, version });
    }
    for (const row of await this.backend.overlays.list(filters)) {
      if (row.delivery_type === type) this.registered.set(row.public_id, { id: null, version: Infinity });
    }
    for (const row of await this.backend.images.list(filters)) {
      if (row.delivery_type === type) this.registered.set(row.public_id, row);
    }
    // An unknown issuer's list is empty too, and a dry run writes nothing that would fail.
    await this.backend.getIssuer(this.request.issuerId);
  }

  private async take({ publicId, version, format }: ListedAsset): Promise<void> {
    const { result, request } = this;
    this.unseen.delete(publicId);
    const registered = this.registered.get(publicId);
    if (version === registered?.version) this.matches += 1;
    if (registered !== undefined && version <= registered.version) {
      result.unchanged += 1;
      return;
    }
    const values = { version, ...(format === null ? {} : { format }) };
    if (registered?.id != null) {
      if (!request.dryRun) await this.backend.images.update(registered.id, values);
      this.registered.set(publicId, { id: registered.id, version });
      result.updated += 1;
      return;
    }
    const detail = findPublicIdFault(publicId);
    if (detail !== null) result.refused.push({ public_id: publicId, detail });
    else if (await this.register(publicId, values)) result.registered += 1;
    else result.conflicts.push(publicId);
  }

  /** @returns false if another issuer owns the public id. */
  private async register(publicId: string, values: object): Promise<boolean> {
    const { issuerId, access, query, dryRun } = this.request;
    if (dryRun) {
      const filters = { public_id: publicId };
      const rows = [
        ...(await this.backend.images.list(filters)),
        ...(await this.backend.overlays.list(filters)),
        ...(await this.backend.listRetainedPublicIds(filters)),
      ];
      return rows.every((row) => row.issuer_id === issuerId);
    }
    try {
      const row = await this.backend.images.create({
        issuer_id: issuerId,
        public_id: publicId,
        delivery_type: query.type,
        access,
        ...values,
      });
      this.registered.set(publicId, row);
      return true;
    } catch (error) {
      if (error instanceof ProblemError && error.code === 'public_id_taken') return false;
      throw error;
    }
  }

  private async nextPage(cursor: string | null): Promise<AssetPage> {
    return this.withRetry((at) => this.account.listPage(this.request.query, at), cursor);
  }

  /** Repeats requests that Cloudinary refused for its rate limit, or did not respond to. */
  private async withRetry<T>(
    request: (cursor: string | null) => Promise<T>,
    cursor: string | null = null,
  ): Promise<T> {
    let at = cursor;
    let [faults, refusals] = [0, 0];
    for (;;) {
      try {
        return await request(at);
      } catch (error) {
        if (!(error instanceof AssetListError)) throw error;
        if (error.kind === 'rate' && ++refusals < MAX_REFUSALS) {
          const until =
            error.retryAt ?? new Date(Date.now() + Math.min(1_000 * 2 ** (refusals - 1), LONGEST_PAUSE));
          await this.rest('Cloudinary’s rate limit', until);
        } else if (error.kind === 'fault' && ++faults < TRIES) {
          await this.rest(error.message, new Date(Date.now() + FIRST_PAUSE * 2 ** (faults - 1)));
        } else if (error.kind === 'cursor' && at !== null && ++this.beginnings <= MAX_BEGINNINGS) {
          at = null;
          this.progress.restarted();
        } else {
          throw new CommandFailedError(
            `Could not list images from Cloudinary: ${error.message}\nRun the same command again: images that are registered already stay unchanged.`,
          );
        }
      }
    }
  }

  /** Repeats requests to a service that is busy or whose database does not respond. */
  private async withRetryWhenBusy<T>(work: () => Promise<T>): Promise<T> {
    for (let refusals = 0; ; refusals++) {
      try {
        return await work();
      } catch (error) {
        const passing = isConflict(error) || findDatabaseFault(error) !== null;
        const problem = passing ? new DatabaseUnavailableError() : error;
        if (!(problem instanceof ProblemError) || !BUSY.has(problem.code) || refusals === MAX_REFUSALS)
          throw error;
        const seconds = Number(problem.extensions['retry_after'] ?? 1);
        await this.rest(problem.code, new Date(Date.now() + 1_000 * Math.max(seconds, 1)));
      }
    }
  }

  private async rest(reason: string, until: Date): Promise<void> {
    // Clocks differ, and an instant in the past must not cause a busy loop.
    const pause = Math.max(until.getTime() - Date.now(), FIRST_PAUSE);
    this.progress.waiting(reason, new Date(Date.now() + pause));
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
