import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Originals that this service keeps itself, and the rule that a row lives as long as something names it. */
export class CreateOriginals1766000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE originals (
        public_id varchar(255) NOT NULL CHECK (public_id <> ''),
        delivery_type varchar(13) NOT NULL CHECK (delivery_type IN ('upload', 'private', 'authenticated')),
        issuer_id uuid NOT NULL REFERENCES issuers ON DELETE RESTRICT,
        sha256 char(64) NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
        bytes integer NOT NULL CHECK (bytes > 0),
        format varchar(10) NOT NULL,
        width integer NOT NULL CHECK (width > 0),
        height integer NOT NULL CHECK (height > 0),
        version bigint NOT NULL CHECK (version BETWEEN 1 AND 9007199254740991),
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (public_id, delivery_type)
      )`);
    await queryRunner.query(`CREATE INDEX originals_sha256 ON originals (sha256)`);
    await queryRunner.query(`CREATE INDEX originals_issuer_id ON originals (issuer_id)`);
    await queryRunner.query(`
      CREATE TRIGGER originals_public_id_owner BEFORE INSERT OR UPDATE OF public_id, issuer_id ON originals
      FOR EACH ROW EXECUTE FUNCTION check_public_id_owner()`);

    // When a row is deleted or renamed, in psql too: the original goes with the last row that names it, so that
    // another issuer which takes the public id later never meets it. The lock orders two rows that go at once: the
    // second sees the first gone.
    await queryRunner.query(`
      CREATE FUNCTION follow_original() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended(OLD.public_id, 0));
        IF TG_OP = 'UPDATE' THEN
          INSERT INTO originals
                (public_id, delivery_type, issuer_id, sha256, bytes, format, width, height, version)
          SELECT NEW.public_id, NEW.delivery_type, issuer_id, sha256, bytes, format, width, height, version
            FROM originals WHERE public_id = OLD.public_id AND delivery_type = OLD.delivery_type
          ON CONFLICT DO NOTHING;
        END IF;
        DELETE FROM originals AS o
         WHERE o.public_id = OLD.public_id AND o.delivery_type = OLD.delivery_type
           AND NOT EXISTS (SELECT FROM images AS i WHERE i.public_id = o.public_id
                              AND i.delivery_type = o.delivery_type AND i.deleted_at IS NULL)
           AND NOT EXISTS (SELECT FROM overlays AS l WHERE l.public_id = o.public_id
                              AND l.delivery_type = o.delivery_type);
        RETURN NULL;
      END $$`);
    for (const [table, columns] of NAMING_TABLES) {
      await queryRunner.query(`
        CREATE TRIGGER ${table}_original AFTER DELETE OR UPDATE OF ${columns} ON ${table}
        FOR EACH ROW EXECUTE FUNCTION follow_original()`);
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const [table] of NAMING_TABLES)
      await queryRunner.query(`DROP TRIGGER ${table}_original ON ${table}`);
    await queryRunner.query(`DROP FUNCTION follow_original()`);
    await queryRunner.query(`DROP TABLE originals`);
  }
}

/** Tables whose rows name an original, and the columns by which they stop to. */
const NAMING_TABLES = [
  ['images', 'public_id, delivery_type, deleted_at'],
  ['overlays', 'public_id, delivery_type'],
] as const;
