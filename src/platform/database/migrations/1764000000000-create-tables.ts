import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Issuers, their keys, images and overlays, with the rules that apply to every write; and the change feed. */
export class CreateTables1764000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE issuers (
        id uuid PRIMARY KEY,
        name varchar(200) NOT NULL CHECK (btrim(name) <> ''),
        delivery_format varchar(10) NOT NULL DEFAULT 'jpg' CHECK (delivery_format ~ '^[a-z0-9]{2,10}$'),
        disabled boolean NOT NULL DEFAULT false,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await queryRunner.query(`
      CREATE TABLE issuer_keys (
        id uuid PRIMARY KEY,
        issuer_id uuid NOT NULL REFERENCES issuers ON DELETE CASCADE,
        algorithm varchar(5) NOT NULL DEFAULT 'HS256' CHECK (algorithm IN ('HS256', 'HS384', 'HS512')),
        secret bytea NOT NULL,
        not_before timestamptz,
        not_after timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        CHECK (not_after > not_before)
      )`);
    await queryRunner.query(`CREATE INDEX issuer_keys_issuer_id ON issuer_keys (issuer_id, created_at DESC)`);
    await queryRunner.query(`
      CREATE TABLE images (
        id uuid PRIMARY KEY,
        issuer_id uuid NOT NULL REFERENCES issuers ON DELETE RESTRICT,
        public_id varchar(255) NOT NULL CHECK (public_id <> ''),
        version bigint NOT NULL CHECK (version BETWEEN 1 AND 9007199254740991),
        format varchar(10),
        delivery_type varchar(13) NOT NULL DEFAULT 'authenticated'
          CHECK (delivery_type IN ('upload', 'private', 'authenticated')),
        access varchar(6) NOT NULL DEFAULT 'token' CHECK (access IN ('token', 'public')),
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        deleted_at timestamptz
      )`);
    await queryRunner.query(`
      CREATE UNIQUE INDEX images_public_id ON images (public_id, delivery_type) WHERE deleted_at IS NULL`);
    await queryRunner.query(`CREATE INDEX images_issuer_id ON images (issuer_id, id)`);
    await queryRunner.query(`
      CREATE TABLE overlays (
        id uuid PRIMARY KEY,
        issuer_id uuid NOT NULL REFERENCES issuers ON DELETE RESTRICT,
        public_id varchar(255) NOT NULL CHECK (public_id <> ''),
        delivery_type varchar(13) NOT NULL DEFAULT 'private'
          CHECK (delivery_type IN ('upload', 'private', 'authenticated')),
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await queryRunner.query(`CREATE UNIQUE INDEX overlays_public_id ON overlays (public_id, delivery_type)`);
    await queryRunner.query(`CREATE INDEX overlays_issuer_id ON overlays (issuer_id, id)`);

    // A public id is one issuer's, in whichever table and of whichever type: another could else seal its own
    // tokens for a neighbour's original. The lock orders two writers of the same public id.
    await queryRunner.query(`
      CREATE FUNCTION check_public_id_owner() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended(NEW.public_id, 0));
        IF EXISTS (SELECT FROM images
                    WHERE public_id = NEW.public_id AND issuer_id <> NEW.issuer_id AND deleted_at IS NULL)
        OR EXISTS (SELECT FROM overlays WHERE public_id = NEW.public_id AND issuer_id <> NEW.issuer_id) THEN
          RAISE unique_violation USING
            MESSAGE = 'the public id belongs to another issuer', CONSTRAINT = 'public_id_owner';
        END IF;
        RETURN NEW;
      END $$`);
    await queryRunner.query(`
      CREATE TRIGGER images_public_id_owner BEFORE INSERT OR UPDATE OF public_id, issuer_id, deleted_at ON images
      FOR EACH ROW WHEN (NEW.deleted_at IS NULL) EXECUTE FUNCTION check_public_id_owner()`);
    await queryRunner.query(`
      CREATE TRIGGER overlays_public_id_owner BEFORE INSERT OR UPDATE OF public_id, issuer_id ON overlays
      FOR EACH ROW EXECUTE FUNCTION check_public_id_owner()`);

    // What changed, for the directories of all replicas: a row changed by hand in psql is included.
    await queryRunner.query(`
      CREATE FUNCTION notify_change() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE
        row_before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
        row_after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
        changed jsonb;
      BEGIN
        FOR changed IN
          SELECT DISTINCT jsonb_build_object(
            'table', TG_TABLE_NAME, 'id', r->>'id', 'issuer_id', coalesce(r->>'issuer_id', r->>'id'))
          FROM unnest(ARRAY[row_before, row_after]) AS r WHERE r IS NOT NULL
        LOOP
          PERFORM pg_notify('pixseal_changes', changed::text);
        END LOOP;
        RETURN NULL;
      END $$`);
    for (const table of TABLES) {
      await queryRunner.query(`
        CREATE TRIGGER ${table}_change AFTER INSERT OR UPDATE OR DELETE ON ${table}
        FOR EACH ROW EXECUTE FUNCTION notify_change()`);
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const table of TABLES.toReversed()) {
      await queryRunner.query(`DROP TABLE ${table}`);
    }
    await queryRunner.query(`DROP FUNCTION notify_change()`);
    await queryRunner.query(`DROP FUNCTION check_public_id_owner()`);
  }
}

/** In the order of their foreign keys. */
const TABLES = ['issuers', 'issuer_keys', 'images', 'overlays'];
