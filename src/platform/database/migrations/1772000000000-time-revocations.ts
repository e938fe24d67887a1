import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A revocation's notification has the start of its transaction, so that processes can measure its delay. */
export class TimeRevocations1772000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // The transaction's time, not the clock's: notifications of one transaction stay equal, and are sent once.
    await queryRunner.query(notify(`, 'at', extract(epoch FROM now())`));
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(notify(''));
  }
}

const notify = (more: string): string => `
  CREATE OR REPLACE FUNCTION notify_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    changed uuid;
  BEGIN
    FOREACH changed IN ARRAY
      CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.issuer_id]
                 WHEN 'DELETE' THEN ARRAY[OLD.issuer_id]
                 ELSE ARRAY[OLD.issuer_id, NEW.issuer_id] END
    LOOP
      PERFORM pg_notify('pixseal_changes', jsonb_build_object(
        'table', TG_TABLE_NAME, 'id', changed, 'issuer_id', changed${more})::text);
    END LOOP;
    RETURN NULL;
  END $$`;
