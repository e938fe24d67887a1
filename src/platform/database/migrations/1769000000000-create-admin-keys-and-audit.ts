import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Admin keys as rows, the audit log that every write is recorded in, and idempotency keys. */
export class CreateAdminKeysAndAudit1769000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE admin_keys (
        id uuid PRIMARY KEY,
        name varchar(200) NOT NULL CHECK (btrim(name) <> ''),
        prefix char(8) NOT NULL CONSTRAINT admin_keys_prefix UNIQUE CHECK (prefix ~ '^[a-z2-7]{8}$'),
        digest bytea NOT NULL CHECK (octet_length(digest) = 32),
        scopes text[] NOT NULL CHECK (scopes <@ ARRAY['read', 'write'] AND cardinality(scopes) > 0),
        issuer_id uuid REFERENCES issuers ON DELETE CASCADE,
        expires_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        last_used_at timestamptz
      )`);
    await queryRunner.query(`CREATE INDEX admin_keys_issuer_id ON admin_keys (issuer_id, id)`);

    await queryRunner.query(`
      CREATE TABLE idempotency_keys (
        id uuid PRIMARY KEY,
        actor text NOT NULL,
        route text NOT NULL,
        key varchar(255) NOT NULL,
        fingerprint bytea NOT NULL,
        written boolean NOT NULL DEFAULT false,
        answer bytea,
        leased_at timestamptz NOT NULL DEFAULT now(),
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (actor, route, key)
      )`);
    await queryRunner.query(`CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at)`);

    // No foreign key: what was done to a row is kept when the row, or its issuer, is gone.
    await queryRunner.query(`
      CREATE TABLE audit_log (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        actor text NOT NULL,
        action text NOT NULL,
        row_id text,
        issuer_id uuid,
        before jsonb,
        after jsonb,
        request_id text
      )`);
    await queryRunner.query(`CREATE INDEX audit_log_issuer_id ON audit_log (issuer_id, id)`);
    await queryRunner.query(`CREATE INDEX audit_log_row_id ON audit_log (row_id, id)`);
    await queryRunner.query(`CREATE INDEX audit_log_action ON audit_log (action, id)`);
    await queryRunner.query(`
      CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE insufficient_privilege USING MESSAGE = format('%s is append-only', TG_TABLE_NAME);
      END $$`);
    await queryRunner.query(`
      CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`);
    // In a session that replays a replica's changes too, in which plain triggers are silent.
    await queryRunner.query(`ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_append_only`);

    // The author of a write, in psql too, is recorded in the same transaction. Arguments: the action's noun, and the columns
    // whose content is never shown: of those, only that they changed.
    await queryRunner.query(`
      CREATE FUNCTION record_write() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE
        secrets text[] := string_to_array(TG_ARGV[1], ',');
        row_before jsonb := CASE WHEN TG_OP IN ('UPDATE', 'DELETE') THEN to_jsonb(OLD) END;
        row_after jsonb := CASE WHEN TG_OP IN ('INSERT', 'UPDATE') THEN to_jsonb(NEW) END;
        known jsonb := coalesce(row_after, row_before);
        verb text := CASE
          WHEN TG_OP = 'INSERT' THEN 'create'
          WHEN TG_OP = 'UPDATE' AND row_before->>'deleted_at' IS NULL
                            AND row_after->>'deleted_at' IS NOT NULL THEN 'delete'
          ELSE lower(TG_OP) END;
        changed jsonb := '{}';
        reservation text := nullif(current_setting('pixseal.reservation', true), '');
      BEGIN
        IF TG_OP = 'UPDATE' THEN
          SELECT coalesce(jsonb_object_agg(name, 'changed'), '{}') INTO changed
            FROM unnest(secrets) AS name WHERE row_before->name IS DISTINCT FROM row_after->name;
        END IF;
        INSERT INTO audit_log (actor, action, row_id, issuer_id, before, after, request_id) VALUES (
          coalesce(nullif(current_setting('pixseal.actor', true), ''), 'database:' || session_user),
          TG_ARGV[0] || '.' || verb,
          coalesce(known->>'id', (known->>'delivery_type') || '/' || (known->>'public_id')),
          coalesce(known->>'issuer_id', CASE WHEN TG_TABLE_NAME = 'issuers' THEN known->>'id' END)::uuid,
          row_before - secrets,
          (row_after - secrets) || changed,
          nullif(current_setting('pixseal.request_id', true), ''));
        -- What is created under an idempotency key is marked in the same transaction. A reservation that another
        -- request took over, since this one was too slow, lets nothing more be written.
        IF reservation IS NOT NULL THEN
          UPDATE idempotency_keys SET written = true WHERE id = reservation::uuid;
          IF NOT FOUND THEN
            RAISE serialization_failure USING MESSAGE = 'the idempotency key was reserved anew';
          END IF;
        END IF;
        RETURN NULL;
      END $$`);
    for (const { table, noun, secrets, columns } of AUDITED) {
      await queryRunner.query(`
        CREATE TRIGGER ${table}_audit AFTER INSERT OR DELETE OR UPDATE ${columns} ON ${table}
        FOR EACH ROW EXECUTE FUNCTION record_write('${noun}', '${secrets}')`);
      await queryRunner.query(`
        CREATE TRIGGER ${table}_audit_truncate AFTER TRUNCATE ON ${table}
        FOR EACH STATEMENT EXECUTE FUNCTION record_write('${noun}', '${secrets}')`);
    }
    await queryRunner.query(`
      CREATE TRIGGER admin_keys_change AFTER INSERT OR DELETE OR UPDATE ${ADMIN_KEY_COLUMNS} ON admin_keys
      FOR EACH ROW EXECUTE FUNCTION notify_change()`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const { table } of AUDITED) {
      await queryRunner.query(`DROP TRIGGER ${table}_audit ON ${table}`);
      await queryRunner.query(`DROP TRIGGER ${table}_audit_truncate ON ${table}`);
    }
    await queryRunner.query(`DROP FUNCTION record_write()`);
    await queryRunner.query(`DROP TABLE audit_log`);
    await queryRunner.query(`DROP FUNCTION refuse_change()`);
    await queryRunner.query(`DROP TABLE idempotency_keys`);
    await queryRunner.query(`DROP TABLE admin_keys`);
  }
}

/** All but `last_used_at`, which no person sets and which permits nothing. */
const ADMIN_KEY_COLUMNS = 'OF id, name, prefix, digest, scopes, issuer_id, expires_at, created_at';

/** Tables whose writes are recorded, under which noun, and their columns that the record leaves out. */
const AUDITED = [
  { table: 'issuers', noun: 'issuer', secrets: '', columns: '' },
  { table: 'issuer_keys', noun: 'issuer_key', secrets: 'secret', columns: '' },
  { table: 'images', noun: 'image', secrets: '', columns: '' },
  { table: 'overlays', noun: 'overlay', secrets: '', columns: '' },
  { table: 'originals', noun: 'original', secrets: '', columns: '' },
  { table: 'admin_keys', noun: 'admin_key', secrets: 'digest', columns: ADMIN_KEY_COLUMNS },
] as const;
