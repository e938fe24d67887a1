import { randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource, type Repository } from 'typeorm';
import { canAccess, runAsSystem } from '../../platform/actor/actor.js';
import { InvalidRequestError } from '../../domain/request.errors.js';
import { toDate } from '../requests/instant.js';
import { findPage, type Page } from '../requests/page.js';
import { translateConstraintErrors } from '../requests/write-conflicts.js';
import { DirectoryService } from '../../directory/directory.service.js';
import { IssuerNotFoundError } from '../issuers/issuer.errors.js';
import { IssuerEntity } from '../../platform/database/entities/issuer.entity.js';
import { canonicalUuid } from '../../domain/uuid.js';
import type { CreateRevocationDto, ListRevocationsDto } from './revocation.dto.js';
import { RevocationEntity } from '../../platform/database/entities/revocation.entity.js';
import { RevocationNotFoundError } from './revocation.errors.js';
import type { RevocationKind } from '../../domain/revocation.js';

/** Milliseconds between two removals of revocations whose tokens have all expired. */
const PRUNE_INTERVAL = 10 * 60_000;
/** Rows deleted at once. */
const PRUNE_BATCH = 10_000;

/** Revokes and restores tokens and sessions. */
@Injectable()
export class RevocationsService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(RevocationsService.name);
  private readonly rows: Repository<RevocationEntity>;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly dataSource: DataSource,
    private readonly directory: DirectoryService,
  ) {
    this.rows = dataSource.getRepository(RevocationEntity);
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.prune().catch((error: unknown) => {
        this.logger.warn(`Could not delete expired revocations: ${String(error)}`);
      });
    }, PRUNE_INTERVAL).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /**
   * Refuses a token or session from now on. Revoking it again never shortens the revocation.
   * @throws IssuerNotFoundError (404) @throws InvalidRequestError (422) unless exactly one of `jti` and `session_id` is set
   */
  async revoke(issuerId: string, dto: CreateRevocationDto): Promise<RevocationEntity> {
    const issuer = await this.requireIssuer(issuerId);
    const { kind, value } = readName(dto);
    // A Date has milliseconds: Postgres would round a finer fraction up, past the last allowed year.
    const expiresAt = toDate(dto.expires_at ?? null);
    await translateConstraintErrors(
      this.dataSource.transaction((rows) =>
        rows.query(
          `INSERT INTO revocations (id, issuer_id, kind, value, expires_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (issuer_id, kind, value) DO UPDATE SET expires_at = CASE
           WHEN revocations.expires_at IS NULL OR excluded.expires_at IS NULL THEN NULL
           ELSE greatest(revocations.expires_at, excluded.expires_at) END`,
          [randomUUID(), issuer, kind, value, expiresAt],
        ),
      ),
    );
    this.invalidate(issuer);
    return this.rows.findOneByOrFail({ issuerId: issuer, kind, value });
  }

  /** @throws IssuerNotFoundError (404) */
  async list(
    issuerId: string,
    { jti, session_id: sessionId, ...page }: ListRevocationsDto,
  ): Promise<Page<RevocationEntity>> {
    const issuer = await this.requireIssuer(issuerId);
    const rows = this.rows
      .createQueryBuilder('revocation')
      .where('revocation.issuerId = :issuer', { issuer });
    if (jti !== undefined) rows.andWhere(`revocation.kind = 'token' AND revocation.value = :jti`, { jti });
    if (sessionId !== undefined)
      rows.andWhere(`revocation.kind = 'session' AND revocation.value = :sessionId`, { sessionId });
    return findPage(rows, page);
  }

  /** @throws IssuerNotFoundError, RevocationNotFoundError (404) */
  async get(issuerId: string, id: string): Promise<RevocationEntity> {
    const issuer = await this.requireIssuer(issuerId);
    const uuid = canonicalUuid(id);
    const row = uuid === null ? null : await this.rows.findOneBy({ id: uuid, issuerId: issuer });
    if (row === null) throw new RevocationNotFoundError();
    return row;
  }

  /** Deletes a revocation: its tokens are no longer refused for it. @throws IssuerNotFoundError, RevocationNotFoundError (404) */
  async restore(issuerId: string, id: string): Promise<void> {
    const row = await this.get(issuerId, id);
    await this.dataSource.transaction((rows) =>
      rows.delete(RevocationEntity, { id: row.id, issuerId: row.issuerId }),
    );
    this.invalidate(row.issuerId);
  }

  /**
   * Deletes revocations whose last token expired an hour ago: more than the leeway and clock skew.
   * @returns how many.
   */
  async prune(): Promise<number> {
    const [, deleted] = await runAsSystem('service', () =>
      this.dataSource.transaction((rows) =>
        rows.query<[unknown, number]>(
          `DELETE FROM revocations WHERE id IN (
             SELECT id FROM revocations WHERE expires_at < now() - interval '1 hour' LIMIT ${PRUNE_BATCH})`,
        ),
      ),
    );
    return deleted;
  }

  private async requireIssuer(issuerId: string): Promise<string> {
    const id = canonicalUuid(issuerId);
    // An issuer that the actor may not see is reported as not found.
    const found =
      id !== null && canAccess(id) && (await this.dataSource.getRepository(IssuerEntity).existsBy({ id }));
    if (!found) throw new IssuerNotFoundError();
    return id;
  }

  private invalidate(issuerId: string): void {
    this.directory.rowChanged({ table: 'revocations', id: issuerId, issuer_id: issuerId });
  }
}

function readName({ jti, session_id: sessionId }: CreateRevocationDto): {
  kind: RevocationKind;
  value: string;
} {
  if (jti !== undefined && sessionId === undefined) return { kind: 'token', value: jti };
  if (sessionId !== undefined && jti === undefined) return { kind: 'session', value: sessionId };
  throw new InvalidRequestError([{ key: 'jti', detail: 'must be set, or session_id instead' }]);
}
