import { EventSubscriber, type EntitySubscriberInterface, type TransactionStartEvent } from 'typeorm';
import { currentContext } from './actor.js';

/**
 * Tells each transaction whose work it is, for the triggers that write the audit log: no service can forget to. The
 * settings are the transaction's own and end with it.
 */
@EventSubscriber()
export class ActorSubscriber implements EntitySubscriberInterface {
  async afterTransactionStart({ queryRunner }: TransactionStartEvent): Promise<void> {
    const work = currentContext();
    if (work === null) return;
    await queryRunner.query(
      `SELECT set_config('pixseal.actor', $1, true), set_config('pixseal.request_id', $2, true),
              set_config('pixseal.reservation', $3, true)`,
      [work.actor.name, work.requestId ?? '', work.reservation ?? ''],
    );
  }
}
