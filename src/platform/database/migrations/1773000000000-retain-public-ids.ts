import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A public id stays its issuer's when the last row that names it goes: its asset is still in the account, and another
 * issuer that registers the public id would show it.
 */
export class RetainPublicIds1773000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // No foreign key: the asset outlives its issuer's row too.
    await queryRunner.query(`
      CREATE TABLE retained_public_ids (
        id uuid PRIMARY KEY,
        public_id varchar(255) NOT NULL CHECK (public_id <> ''),
        delivery_type varchar(13) NOT NULL CHECK (delivery_type IN ('upload', 'private', 'authenticated')),
        issuer_id uuid NOT NULL,
        version bigint NOT NULL CHECK (version BETWEEN 1 AND 9007199254740991),
        retained_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT retained_public_ids_name UNIQUE (public_id, delivery_type)
      )`);
    await queryRunner.query(
      `CREATE INDEX retained_public_ids_issuer_id ON retained_public_ids (issuer_id, id)`,
    );

    // Fired by every write, in psql too. The lock orders two rows of one name that go at once: the second sees the
    // first gone. Within a notification of the account the asset follows the row, and nothing is left to retain.
    await queryRunner.query(`
      CREATE FUNCTION retain_public_id() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE
        was jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
        is_now jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
      BEGIN
        IF was->>'deleted_at' IS NOT NULL THEN was := NULL; END IF;
        IF is_now->>'deleted_at' IS NOT NULL THEN is_now := NULL; END IF;
        IF is_now IS NOT NULL THEN
          DELETE FROM retained_public_ids
           WHERE public_id = is_now->>'public_id' AND delivery_type = is_now->>'delivery_type'
             AND issuer_id = (is_now->>'issuer_id')::uuid;
        END IF;
        IF was IS NOT NULL AND coalesce(current_setting('pixseal.account_event', true), '') <> 'on' THEN
          PERFORM pg_advisory_xact_lock(hashtextextended(was->>'public_id', 0));
          INSERT INTO retained_public_ids (id, public_id, delivery_type, issuer_id, version)
          SELECT gen_random_uuid(), was->>'public_id', was->>'delivery_type', (was->>'issuer_id')::uuid,
                 ${versionOf('was')}
           WHERE NOT EXISTS (SELECT FROM images WHERE public_id = was->>'public_id'
                                AND delivery_type = was->>'delivery_type' AND deleted_at IS NULL)
             AND NOT EXISTS (SELECT FROM overlays WHERE public_id = was->>'public_id'
                                AND delivery_type = was->>'delivery_type')
          ON CONFLICT DO NOTHING;
        END IF;
        RETURN NULL;
      END $$`);
    for (const [table, columns] of NAMING_TABLES) {
      await queryRunner.query(`
        CREATE TRIGGER ${table}_retained AFTER INSERT OR DELETE OR UPDATE OF ${columns} ON ${table}
        FOR EACH ROW EXECUTE FUNCTION retain_public_id()`);
    }
    await queryRunner.query(ownerCheck(RETAINED_BY_ANOTHER));
    // What the triggers above do is part of the write that is recorded already.
    await queryRunner.query(`
      CREATE TRIGGER retained_public_ids_audit AFTER DELETE ON retained_public_ids
      FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION record_write('retained_public_id', '')`);
    await queryRunner.query(`
      CREATE TRIGGER retained_public_ids_audit_truncate AFTER TRUNCATE ON retained_public_ids
      FOR EACH STATEMENT EXECUTE FUNCTION record_write('retained_public_id', '')`);
    await queryRunner.query(RETAIN_WHAT_WAS_DELETED);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(ownerCheck(''));
    for (const [table] of NAMING_TABLES) {
      await queryRunner.query(`DROP TRIGGER ${table}_retained ON ${table}`);
    }
    await queryRunner.query(`DROP FUNCTION retain_public_id()`);
    await queryRunner.query(`DROP TABLE retained_public_ids`);
  }
}

/** The second from which a row, as JSON, knows its asset: an overlay has no version, but was written in one. */
const versionOf = (row: string): string =>
  `coalesce((${row}->>'version')::bigint, floor(extract(epoch FROM (${row}->>'updated_at')::timestamptz))::bigint)`;

/** Tables whose rows name an asset, and the columns by which they do. */
const NAMING_TABLES = [
  ['images', 'public_id, delivery_type, issuer_id, deleted_at'],
  ['overlays', 'public_id, delivery_type, issuer_id'],
] as const;

const RETAINED_BY_ANOTHER = `
  OR EXISTS (SELECT FROM retained_public_ids WHERE public_id = NEW.public_id AND issuer_id <> NEW.issuer_id)`;

/** @param more A further reason to refuse, as an `OR` of one expression: all reasons see one snapshot. */
const ownerCheck = (more: string): string => `
  CREATE OR REPLACE FUNCTION check_public_id_owner() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.public_id, 0));
    IF EXISTS (SELECT FROM images
                WHERE public_id = NEW.public_id AND issuer_id <> NEW.issuer_id AND deleted_at IS NULL)
    OR EXISTS (SELECT FROM overlays WHERE public_id = NEW.public_id AND issuer_id <> NEW.issuer_id)${more} THEN
      RAISE unique_violation USING
        MESSAGE = 'the public id belongs to another issuer', CONSTRAINT = 'public_id_owner';
    END IF;
    RETURN NEW;
  END $$`;

/**
 * What was deleted before, as far as it is known: images by their rows, overlays and former names by the audit log. A
 * public id that has rows again, of whichever issuer, is left to it; of several former issuers the last one has it. What
 * the account itself deleted or renamed is not retained.
 */
const RETAIN_WHAT_WAS_DELETED = `
  INSERT INTO retained_public_ids (id, public_id, delivery_type, issuer_id, version, retained_at)
  WITH former AS (
    SELECT public_id, delivery_type, issuer_id, version, deleted_at AS at FROM images WHERE deleted_at IS NOT NULL
    UNION ALL
    SELECT before->>'public_id', before->>'delivery_type', (before->>'issuer_id')::uuid, ${versionOf('before')}, at
      FROM audit_log
     WHERE action IN ('image.delete', 'image.update', 'overlay.delete', 'overlay.update')
       AND actor <> 'cloudinary' AND before->>'deleted_at' IS NULL
       AND (after IS NULL OR after->>'deleted_at' IS NOT NULL
            OR after->>'public_id' <> before->>'public_id' OR after->>'delivery_type' <> before->>'delivery_type')
  ), latest AS (
    SELECT DISTINCT ON (public_id) public_id, issuer_id FROM former ORDER BY public_id, at DESC
  )
  SELECT DISTINCT ON (f.public_id, f.delivery_type) gen_random_uuid(), f.public_id, f.delivery_type, f.issuer_id, f.version, f.at
    FROM former AS f JOIN latest AS l ON l.public_id = f.public_id AND l.issuer_id = f.issuer_id
   WHERE NOT EXISTS (SELECT FROM images AS i WHERE i.public_id = f.public_id AND i.deleted_at IS NULL
                        AND (i.delivery_type = f.delivery_type OR i.issuer_id <> f.issuer_id))
     AND NOT EXISTS (SELECT FROM overlays AS o WHERE o.public_id = f.public_id
                        AND (o.delivery_type = f.delivery_type OR o.issuer_id <> f.issuer_id))
     AND NOT EXISTS (SELECT FROM cloudinary_assets AS c WHERE c.public_id = f.public_id
                        AND c.delivery_type = f.delivery_type AND (c.gone OR c.moved_to IS NOT NULL)
                        AND c.at >= f.at)
   ORDER BY f.public_id, f.delivery_type, f.at DESC`;
