import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Revoked tokens and sessions, and times before which issuers' and images' tokens are not valid. */
export class CreateRevocations1767000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE revocations (
        id uuid PRIMARY KEY,
        issuer_id uuid NOT NULL REFERENCES issuers ON DELETE CASCADE,
        kind varchar(7) NOT NULL CHECK (kind IN ('token', 'session')),
        value varchar(255) NOT NULL CHECK (value <> ''),
        expires_at timestamptz,
        revoked_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (issuer_id, kind, value)
      )`);
    await queryRunner.query(`CREATE INDEX revocations_issuer_id ON revocations (issuer_id, id)`);
    await queryRunner.query(`
      CREATE INDEX revocations_expires_at ON revocations (expires_at) WHERE expires_at IS NOT NULL`);
    // By issuer, not by row: a directory has an issuer's revocations as one, and Postgres tells equal
    // notifications of a transaction once, so that pruning thousands is a single one.
    await queryRunner.query(`
      CREATE FUNCTION notify_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE
        changed uuid;
      BEGIN
        FOREACH changed IN ARRAY
          CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.issuer_id]
                     WHEN 'DELETE' THEN ARRAY[OLD.issuer_id]
                     ELSE ARRAY[OLD.issuer_id, NEW.issuer_id] END
        LOOP
          PERFORM pg_notify('pixseal_changes', jsonb_build_object(
            'table', TG_TABLE_NAME, 'id', changed, 'issuer_id', changed)::text);
        END LOOP;
        RETURN NULL;
      END $$`);
    await queryRunner.query(`
      CREATE TRIGGER revocations_change AFTER INSERT OR UPDATE OR DELETE ON revocations
      FOR EACH ROW EXECUTE FUNCTION notify_revocation()`);
    await queryRunner.query(`ALTER TABLE issuers ADD COLUMN not_before timestamptz`);
    await queryRunner.query(`ALTER TABLE images ADD COLUMN not_before timestamptz`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE images DROP COLUMN not_before`);
    await queryRunner.query(`ALTER TABLE issuers DROP COLUMN not_before`);
    await queryRunner.query(`DROP TABLE revocations`);
    await queryRunner.query(`DROP FUNCTION notify_revocation()`);
  }
}
