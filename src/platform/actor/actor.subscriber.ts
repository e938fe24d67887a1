import { EventSubscriber, type EntitySubscriberInterface, type TransactionStartEvent } from 'typeorm';
import { currentContext } from './actor.js';

/**
 * Sets the actor of each transaction, for the triggers that write the audit log: no service can forget it. The settings
 * are local to the transaction.
 */
@EventSubscriber()
export class ActorSubscriber implements EntitySubscriberInterface {
  async afterTransactionStart({ queryRunner }: TransactionStartEvent): Promise<void> {
    const context = currentContext();
    if (context === null) return;
    await queryRunner.query(
      `SELECT set_config('pixseal.actor', $1, true), set_config('pixseal.request_id', $2, true),
              set_config('pixseal.reservation', $3, true)`,
      [context.actor.name, context.requestId ?? '', context.reservation ?? ''],
    );
  }
}
