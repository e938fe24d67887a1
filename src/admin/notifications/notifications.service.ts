import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
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
   * Applies a notification to the rows, in one transaction with its entries in the audit log.
   * @returns how many rows changed.
   * @throws InvalidNotificationError (401); InvalidRequestError (422) for a malformed one; PublicIdTakenError (409),
   * IssuerNotFoundError (404): nothing has changed, and Cloudinary sends it again.
   */
  async receive(signed: SignedNotification, requestId: string): Promise<number> {
    if (!this.verifier.isGenuine(this.environment.cloudinary, signed)) throw new InvalidNotificationError();
    const notification = readNotification(signed.body, Number(signed.timestamp));
    // They wait for each other in the database; queued here, they occupy one connection of the pool.
    const done = this.queue.then(() => runAsSystem('cloudinary', () => this.apply(notification), requestId));
    this.queue = done.catch(() => undefined);
    return done;
  }

  private async apply(notification: Notification): Promise<number> {
    let changes: RowChange[] = [];
    const write = async (): Promise<void> => {
      changes = await translateConstraintErrors(
        this.dataSource.transaction((rows) => this.events.apply(rows, notification)),
      );
    };
    await abandonedNames(notification.event).reduce<() => Promise<void>>(
      (inner, name) => () => this.store.removeOrphanAfter(name, inner),
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
