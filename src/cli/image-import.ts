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

/** Rows that are written at a time. */
const WRITERS = 8;
/** Tries of a page that fails, and milliseconds before the second; then twice as long each time. */
const TRIES = 5;
const FIRST_PAUSE = 500;
/** Milliseconds between two tries where Cloudinary does not say until when its rate is used up. */
const LONGEST_PAUSE = 60_000;
/** Refusals of one page for its rate: an hour's worth and more. */
const MAX_REFUSALS = 100;
/** Walks from the beginning, where cursors are lost on the way. */
const MAX_BEGINNINGS = 3;
/** What a running service says when it has too much to do. */
const BUSY = new Set(['too_many_requests', 'overloaded', 'database_unavailable']);

export interface ImportRequest {
  readonly issuerId: string;
  readonly query: AssetQuery;
  readonly access: string | undefined;
  /** Nothing is written. */
  readonly dryRun: boolean;
}

/** What came of it; in a dry run, what would. */
export interface ImportResult {
  registered: number;
  updated: number;
  unchanged: number;
  /** Public ids that were retained for the issuer, and whose assets the account does not have any more. */
  released: number;
  /** Public ids that another issuer has, or that are retained for it. */
  readonly conflicts: string[];
  /** Public ids that cannot be registered, and why. */
  readonly refused: { readonly public_id: string; readonly detail: string }[];
}

/** What an import tells while it goes on. */
export interface ImportProgress {
  /** A cursor to begin with, of an import that was stopped; null for the beginning. */
  readonly cursor: string | null;
  /** An image was dealt with. */
  imageDone(): void;
  /** A page was: the next import may begin behind it. */
  pageDone(cursor: string | null): void;
  /** The cursor is known no more: it begins anew, and what is registered is left as it is. */
  restarted(): void;
  waiting(reason: string, until: Date): void;
}

/** What the issuer has under a name. */
interface Registered {
  /** Null where there is no image: for an overlay, and for an image that was deleted. */
  readonly id: string | null;
  readonly version: number;
}

/** Registers the images of an account for an issuer, page by page. Whatever stops it, it may be run again. */
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
  /** Ids of the issuer's retentions that this walk did not find an asset of, by public id. */
  private readonly unseen = new Map<string, string>();
  /** Assets whose version is that of a row: they show that the account is the one that the rows are of. */
  private matches = 0;
  private beginnings = 1;

  constructor(
    private readonly backend: Backend,
    private readonly account: Pick<AccountAssets, 'listPage' | 'exists'>,
    private readonly request: ImportRequest,
    private readonly progress: ImportProgress,
  ) {}

  /** @throws CommandFailedError where Cloudinary gives no more pages; ProblemError of a write, or for an unknown issuer. */
  async run(): Promise<ImportResult> {
    await this.patiently(() => this.readRegistered());
    let { cursor } = this.progress;
    // A walk that goes on somewhere, or that a tag filters, has not looked for all of them.
    if (cursor === null && this.request.query.tag === undefined)
      await this.patiently(() => this.readRetained());
    let page: AssetPage;
    do {
      page = await this.nextPage(cursor);
      const queue = [...page.assets];
      const write = async (): Promise<void> => {
        for (let asset = queue.shift(); asset !== undefined; asset = queue.shift()) {
          await this.patiently(() => this.take(asset));
          this.progress.imageDone();
        }
      };
      await Promise.all(Array.from({ length: WRITERS }, write));
      cursor = page.nextCursor;
      this.progress.pageDone(cursor);
      if (cursor !== null && page.restUntil !== null)
        await this.rest('Cloudinary’s rate limit', page.restUntil);
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
   * Releases what is retained for the issuer and absent from the account. The list of a large account lags behind, so
   * each is looked up by its name. Another account would have none of them: without a known image nothing is released.
   */
  private async releaseAbsent(): Promise<void> {
    if (this.matches === 0) return;
    for (const [publicId, id] of this.unseen) {
      const exists = await this.persistently(() => this.account.exists(this.request.query.type, publicId));
      if (exists) continue;
      if (!this.request.dryRun) {
        try {
          await this.patiently(() => this.backend.releasePublicId(id));
        } catch (error) {
          if (!(error instanceof ProblemError)) throw error;
          // A key that is bound to the issuer decides nothing about the others: an operator releases them.
          if (error.code === 'insufficient_scope') return;
          // It was released or registered meanwhile.
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
    // What was deleted here is left so, unless the account has it anew.
    for (const row of await this.backend.listImages({ ...filters, state: 'deleted' })) {
      const version = Math.max(row.version, this.registered.get(row.public_id)?.version ?? 0);
      if (row.delivery_type === type) this.registered.set(row.public_id, { id: null, version });
    }
    for (const row of await this.backend.listOverlays(filters)) {
      if (row.delivery_type === type) this.registered.set(row.public_id, { id: null, version: Infinity });
    }
    for (const row of await this.backend.listImages(filters)) {
      if (row.delivery_type === type) this.registered.set(row.public_id, row);
    }
    // Nobody's list is empty too, and a dry run writes nothing that would be refused.
    await this.backend.requireIssuer(this.request.issuerId);
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
      if (!request.dryRun) await this.backend.updateImage(registered.id, values);
      this.registered.set(publicId, { id: registered.id, version });
      result.updated += 1;
      return;
    }
    const detail = findPublicIdFault(publicId);
    if (detail !== null) result.refused.push({ public_id: publicId, detail });
    else if (await this.register(publicId, values)) result.registered += 1;
    else result.conflicts.push(publicId);
  }

  /** @returns false where another issuer has the public id. */
  private async register(publicId: string, values: object): Promise<boolean> {
    const { issuerId, access, query, dryRun } = this.request;
    if (dryRun) {
      const filters = { public_id: publicId };
      const rows = [
        ...(await this.backend.listImages(filters)),
        ...(await this.backend.listOverlays(filters)),
        ...(await this.backend.listRetainedPublicIds(filters)),
      ];
      return rows.every((row) => row.issuer_id === issuerId);
    }
    try {
      const row = await this.backend.addImage({
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
    return this.persistently((at) => this.account.listPage(this.request.query, at), cursor);
  }

  /** Requests again what Cloudinary refused for its rate, or did not respond to. */
  private async persistently<T>(
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
            `Cloudinary gives no list of images: ${error.message}\nRun the same command again: what is registered already is left as it is.`,
          );
        }
      }
    }
  }

  /** Does again what a busy service, or a database that does not answer, refused. */
  private async patiently<T>(work: () => Promise<T>): Promise<T> {
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
    // Clocks differ, and a moment that is over already must not become a loop.
    const pause = Math.max(until.getTime() - Date.now(), FIRST_PAUSE);
    this.progress.waiting(reason, new Date(Date.now() + pause));
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
