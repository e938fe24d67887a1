import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { runAsSystem } from '../../platform/actor/actor.js';
import { translateConstraintErrors } from '../requests/write-conflicts.js';
import { NotificationVerifier, type SignedNotification } from '../../cloudinary/notification-verifier.js';
import type { RowChange } from '../../platform/database/change-feed.js';
import { DirectoryService } from '../../directory/directory.service.js';
import { OriginalsStore } from '../../originals/originals.store.js';
import { AccountEventsService } from './account-events.service.js';
import { InvalidNotificationError } from './notification.errors.js';
import { readNotification, type AccountEvent, type AssetName, type Notification } from './notification.js';

/** Takes Cloudinary's notifications in. */
@Injectable()
export class NotificationsService {
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly verifier: NotificationVerifier,
    private readonly events: AccountEventsService,
    private readonly dataSource: DataSource,
    private readonly directory: DirectoryService,
    private readonly store: OriginalsStore,
  ) {}

  /**
   * Lets the rows follow a notification: all that it changes, and its entries in the audit log, in one transaction.
   * @returns how many rows changed.
   * @throws InvalidNotificationError (401); InvalidRequestError (422) for one that cannot be read; PublicIdTakenError
   * (409), IssuerNotFoundError (404): then nothing has changed, and Cloudinary tells it again.
   */
  async receive(signed: SignedNotification, requestId: string): Promise<number> {
    if (!this.verifier.isGenuine(signed)) throw new InvalidNotificationError();
    const notification = readNotification(signed.body, Number(signed.timestamp));
    // They wait for each other in the database: one connection of the pool waits, and not all of them.
    const done = this.turn.then(() =>
      runAsSystem('cloudinary', () => this.carryOut(notification), requestId),
    );
    this.turn = done.catch(() => undefined);
    return done;
  }

  private async carryOut(notification: Notification): Promise<number> {
    let changes: RowChange[] = [];
    const write = async (): Promise<void> => {
      changes = await translateConstraintErrors(
        this.dataSource.transaction((rows) => this.events.apply(rows, notification)),
      );
    };
    await namesLeft(notification.event).reduce<() => Promise<void>>(
      (inner, name) => () => this.store.removeOrphanAfter(name, inner),
      write,
    )();
    for (const change of changes) this.directory.rowChanged(change);
    return new Set(changes.map(({ id }) => id)).size;
  }
}

/** Names that rows may have no more: outside of mode `cloudinary`, originals are kept under them. */
function namesLeft(event: AccountEvent): readonly AssetName[] {
  switch (event.type) {
    case 'delete':
      return event.names;
    case 'rename':
      return [event.from, event.to];
    default:
      return [];
  }
}
