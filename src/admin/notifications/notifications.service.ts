import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type Account, accountIdOf } from '../../domain/account.js';
import { AccountUnavailableError } from '../../domain/account.errors.js';
import { canonicalUuid } from '../../domain/uuid.js';
import { ENVIRONMENT } from '../../platform/config/config.module.js';
import type { Environment } from '../../platform/config/environment.js';
import { runAsSystem } from '../../platform/actor/actor.js';
import { translateConstraintErrors } from '../requests/write-conflicts.js';
import { NotificationVerifier, type SignedNotification } from '../../cloudinary/notification-verifier.js';
import type { RowChange } from '../../platform/database/change-feed.js';
import { DirectoryService } from '../../directory/directory.service.js';
import { OriginalsStore } from '../../originals/originals.store.js';
import { AccountEventsService } from './account-events.service.js';
import { InvalidNotificationError } from './notification.errors.js';
import { readNotification, type AccountEvent, type AssetName, type Notification } from './notification.js';

/** Receives Cloudinary's notifications. */
@Injectable()
export class NotificationsService {
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'cloudinary'>,
    private readonly verifier: NotificationVerifier,
    private readonly events: AccountEventsService,
    private readonly dataSource: DataSource,
    private readonly directory: DirectoryService,
    private readonly store: OriginalsStore,
  ) {}

  /**
   * Applies a notification to the rows of the account's issuers, in one transaction with its entries in the audit log.
   * @param accountId The id of the account's row; null for the account of the environment.
   * @returns how many rows changed.
   * @throws InvalidNotificationError (401); InvalidRequestError (422) for a malformed one; PublicIdTakenError (409),
   * IssuerNotFoundError (404), DatabaseUnavailableError (503): nothing has changed, and Cloudinary sends it again.
   */
  async receive(accountId: string | null, signed: SignedNotification, requestId: string): Promise<number> {
    // Before the look-up, which a flood of requests without a signature would repeat.
    if (!this.verifier.isPlausible(signed)) throw new InvalidNotificationError();
    const account = await this.findAccount(accountId);
    if (account === null || !this.verifier.isGenuine(account, signed)) throw new InvalidNotificationError();
    const notification = readNotification(signed.body, Number(signed.timestamp));
    // They wait for each other in the database; queued here, they occupy one connection of the pool.
    const done = this.queue.then(() =>
      runAsSystem('cloudinary', () => this.apply(accountIdOf(account), notification), requestId),
    );
    this.queue = done.catch(() => undefined);
    return done;
  }

  /** @returns null for an account that is unknown or cannot be used. @throws DatabaseUnavailableError (503) */
  private async findAccount(id: string | null): Promise<Account | null> {
    const { cloudinary } = this.environment;
    // Without CLOUDINARY_URL, no account sends notifications.
    if (id === null) return cloudinary.apiKey === null ? null : cloudinary;
    const uuid = canonicalUuid(id);
    if (uuid === null) return null;
    try {
      return await this.directory.findAccount(uuid);
    } catch (error) {
      // Without its secrets no signature can be verified: 503 would reveal to anyone that the account exists.
      if (error instanceof AccountUnavailableError) return null;
      throw error;
    }
  }

  private async apply(accountId: string, notification: Notification): Promise<number> {
    let changes: RowChange[] = [];
    const write = async (): Promise<void> => {
      changes = await translateConstraintErrors(
        this.dataSource.transaction((rows) => this.events.apply(rows, accountId, notification)),
      );
    };
    await abandonedNames(notification.event).reduce<() => Promise<void>>(
      (inner, name) => () => this.store.removeOrphanAfter({ ...name, accountId }, inner),
      write,
    )();
    for (const change of changes) this.directory.rowChanged(change);
    return new Set(changes.map(({ id }) => id)).size;
  }
}

/** Names that rows may no longer have: outside of mode `cloudinary`, their stored originals may be unused. */
function abandonedNames(event: AccountEvent): readonly AssetName[] {
  switch (event.type) {
    case 'delete':
      return event.names;
    case 'rename':
      return [event.from, event.to];
    default:
      return [];
  }
}
