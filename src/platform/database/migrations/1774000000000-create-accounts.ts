import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Cloudinary accounts with their secrets, an issuer's account, and one owner of a public id in each account. The account
 * of the environment has no row: issuers without an account use it.
 */
export class CreateAccounts1774000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE accounts (
        id uuid PRIMARY KEY CHECK (id <> '${ENVIRONMENT}'),
        name varchar(200) NOT NULL CHECK (btrim(name) <> ''),
        cloud_name varchar(64) NOT NULL CHECK (cloud_name ~ '^[A-Za-z0-9_-]+$'),
        host varchar(253) CHECK (host ~ '^[a-z0-9-]+([.][a-z0-9-]+)+$'),
        private_cdn boolean NOT NULL DEFAULT false,
        upload_prefix varchar(300) NOT NULL DEFAULT 'https://api.cloudinary.com' CHECK (upload_prefix ~ '^https?://'),
        signature varchar(6) NOT NULL DEFAULT 'sha1' CHECK (signature IN ('sha1', 'sha256', 'long')),
        auth_token_key bytea,
        disabled boolean NOT NULL DEFAULT false,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await queryRunner.query(`CREATE UNIQUE INDEX accounts_cloud_name ON accounts (lower(cloud_name))`);
    await queryRunner.query(`
      CREATE TABLE account_secrets (
        id uuid PRIMARY KEY,
        account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
        api_key varchar(64) NOT NULL CHECK (api_key ~ '^[A-Za-z0-9_-]+$'),
        secret bytea NOT NULL,
        signs boolean NOT NULL DEFAULT false,
        not_after timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT account_secrets_api_key UNIQUE (account_id, api_key),
        CONSTRAINT account_secrets_not_after CHECK (NOT signs OR not_after IS NULL)
      )`);
    await queryRunner.query(
      `CREATE UNIQUE INDEX account_secrets_signs ON account_secrets (account_id) WHERE signs`,
    );
    await queryRunner.query(`
      ALTER TABLE issuers ADD COLUMN account_id uuid
        CONSTRAINT issuers_account REFERENCES accounts ON DELETE RESTRICT`);
    await queryRunner.query(
      `CREATE INDEX issuers_account_id ON issuers (account_id) WHERE account_id IS NOT NULL`,
    );
    for (const table of SCOPED_TABLES) {
      await queryRunner.query(
        `ALTER TABLE ${table} ADD COLUMN account_id uuid NOT NULL DEFAULT '${ENVIRONMENT}'`,
      );
    }
    await createUniqueNames(queryRunner, ', account_id');

    // An asset is in the account of its issuer. The lock makes a change of the issuer's account wait.
    await queryRunner.query(`
      CREATE FUNCTION set_asset_account() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        SELECT coalesce(account_id, '${ENVIRONMENT}') INTO NEW.account_id
          FROM issuers WHERE id = NEW.issuer_id FOR SHARE;
        NEW.account_id := coalesce(NEW.account_id, '${ENVIRONMENT}');
        RETURN NEW;
      END $$`);
    for (const table of ASSET_TABLES) {
      await queryRunner.query(`
        CREATE TRIGGER ${table}_account BEFORE INSERT OR UPDATE OF issuer_id, account_id ON ${table}
        FOR EACH ROW EXECUTE FUNCTION set_asset_account()`);
    }
    // Deleted images count: a notification of their account may restore them. A deleted overlay is not restored.
    await queryRunner.query(`
      CREATE FUNCTION check_issuer_account() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF EXISTS (SELECT FROM images WHERE issuer_id = NEW.id)
        OR EXISTS (SELECT FROM overlays WHERE issuer_id = NEW.id)
        OR EXISTS (SELECT FROM originals WHERE issuer_id = NEW.id) THEN
          RAISE restrict_violation USING
            MESSAGE = 'the issuer has images or overlays in its account', CONSTRAINT = 'issuers_account_assets';
        END IF;
        UPDATE cloudinary_assets SET overlay_id = NULL, overlay_issuer_id = NULL WHERE overlay_issuer_id = NEW.id;
        RETURN NEW;
      END $$`);
    await queryRunner.query(`
      CREATE TRIGGER issuers_account_assets BEFORE UPDATE OF account_id ON issuers
      FOR EACH ROW WHEN (NEW.account_id IS DISTINCT FROM OLD.account_id) EXECUTE FUNCTION check_issuer_account()`);
    // No foreign key refers from there: the account of the environment has no row.
    await queryRunner.query(`
      CREATE FUNCTION forget_account() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        DELETE FROM cloudinary_assets WHERE account_id = OLD.id;
        DELETE FROM retained_public_ids WHERE account_id = OLD.id;
        RETURN NULL;
      END $$`);
    await queryRunner.query(`
      CREATE TRIGGER accounts_forgotten AFTER DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION forget_account()`);
    await queryRunner.query(ownerCheck('account_id = NEW.account_id AND '));
    await queryRunner.query(followOriginal(true));
    await queryRunner.query(retainPublicId(true));

    // By account, not by row: directories invalidate an account with its secrets.
    await queryRunner.query(`
      CREATE FUNCTION notify_account() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE
        changed jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
        account text := coalesce(changed->>'account_id', changed->>'id');
      BEGIN
        PERFORM pg_notify('pixseal_changes', jsonb_build_object(
          'table', 'accounts', 'id', account, 'issuer_id', account)::text);
        RETURN NULL;
      END $$`);
    for (const [table, noun, secret] of ACCOUNT_TABLES) {
      await queryRunner.query(`
        CREATE TRIGGER ${table}_change AFTER INSERT OR UPDATE OR DELETE ON ${table}
        FOR EACH ROW EXECUTE FUNCTION notify_account()`);
      await queryRunner.query(`
        CREATE TRIGGER ${table}_audit AFTER INSERT OR DELETE OR UPDATE ON ${table}
        FOR EACH ROW EXECUTE FUNCTION record_write('${noun}', '${secret}')`);
      await queryRunner.query(`
        CREATE TRIGGER ${table}_audit_truncate AFTER TRUNCATE ON ${table}
        FOR EACH STATEMENT EXECUTE FUNCTION record_write('${noun}', '${secret}')`);
    }
  }

  /** Refuses while an issuer has an account: without it, the issuer would sign for the environment's. */
  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DO $$ BEGIN
        IF EXISTS (SELECT FROM issuers WHERE account_id IS NOT NULL) THEN
          RAISE restrict_violation USING
            MESSAGE = 'issuers have accounts: delete these issuers before the migration is reverted';
        END IF;
      END $$`);
    await queryRunner.query(`DELETE FROM accounts`);
    // What is left is of issuers that were deleted.
    await queryRunner.query(`DELETE FROM retained_public_ids WHERE account_id <> '${ENVIRONMENT}'`);
    await queryRunner.query(`DELETE FROM cloudinary_assets WHERE account_id <> '${ENVIRONMENT}'`);
    await queryRunner.query(ownerCheck(''));
    await queryRunner.query(followOriginal(false));
    await queryRunner.query(retainPublicId(false));
    for (const table of ASSET_TABLES) await queryRunner.query(`DROP TRIGGER ${table}_account ON ${table}`);
    await queryRunner.query(`DROP FUNCTION set_asset_account()`);
    await queryRunner.query(`DROP TRIGGER issuers_account_assets ON issuers`);
    await queryRunner.query(`DROP FUNCTION check_issuer_account()`);
    await createUniqueNames(queryRunner, '');
    for (const table of SCOPED_TABLES) {
      await queryRunner.query(`ALTER TABLE ${table} DROP COLUMN account_id`);
    }
    await queryRunner.query(`ALTER TABLE issuers DROP COLUMN account_id`);
    await queryRunner.query(`DROP TABLE account_secrets`);
    await queryRunner.query(`DROP TABLE accounts`);
    await queryRunner.query(`DROP FUNCTION forget_account()`);
    await queryRunner.query(`DROP FUNCTION notify_account()`);
  }
}

/** In `account_id` of assets: the account of the environment. `ENVIRONMENT_ACCOUNT_ID` of the domain. */
const ENVIRONMENT = '00000000-0000-0000-0000-000000000000';

/** Tables whose rows have an issuer, which determines their account. */
const ASSET_TABLES = ['images', 'overlays', 'originals'] as const;

/** Tables in which a name belongs to an account. */
const SCOPED_TABLES = [...ASSET_TABLES, 'retained_public_ids', 'cloudinary_assets'] as const;

/** Table, the audit log's noun, and the column whose content the log omits. */
const ACCOUNT_TABLES = [
  ['accounts', 'account', 'auth_token_key'],
  ['account_secrets', 'account_secret', 'secret'],
] as const;

/** Creates the unique names again. @param account The columns that follow the public id and the delivery type. */
async function createUniqueNames(queryRunner: QueryRunner, account: '' | ', account_id'): Promise<void> {
  const name = `(public_id, delivery_type${account})`;
  await queryRunner.query(`DROP INDEX images_public_id`);
  await queryRunner.query(`CREATE UNIQUE INDEX images_public_id ON images ${name} WHERE deleted_at IS NULL`);
  await queryRunner.query(`DROP INDEX overlays_public_id`);
  await queryRunner.query(`CREATE UNIQUE INDEX overlays_public_id ON overlays ${name}`);
  for (const table of ['originals', 'cloudinary_assets']) {
    await queryRunner.query(`
      ALTER TABLE ${table} DROP CONSTRAINT ${table}_pkey, ADD CONSTRAINT ${table}_pkey PRIMARY KEY ${name}`);
  }
  await queryRunner.query(`
    ALTER TABLE retained_public_ids DROP CONSTRAINT retained_public_ids_name,
      ADD CONSTRAINT retained_public_ids_name UNIQUE ${name}`);
}

/** @param account The condition on the account, before the others. */
const ownerCheck = (account: string): string => `
  CREATE OR REPLACE FUNCTION check_public_id_owner() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.public_id, 0));
    IF EXISTS (SELECT FROM images
                WHERE ${account}public_id = NEW.public_id AND issuer_id <> NEW.issuer_id AND deleted_at IS NULL)
    OR EXISTS (SELECT FROM overlays WHERE ${account}public_id = NEW.public_id AND issuer_id <> NEW.issuer_id)
    OR EXISTS (SELECT FROM retained_public_ids
                WHERE ${account}public_id = NEW.public_id AND issuer_id <> NEW.issuer_id) THEN
      RAISE unique_violation USING
        MESSAGE = 'the public id belongs to another issuer', CONSTRAINT = 'public_id_owner';
    END IF;
    RETURN NEW;
  END $$`;

const followOriginal = (scoped: boolean): string => {
  const [column, value] = scoped ? [', account_id', ', account_id'] : ['', ''];
  const same = (alias: string): string => (scoped ? ` AND ${alias}.account_id = o.account_id` : '');
  const old = scoped ? ' AND account_id = OLD.account_id' : '';
  return `
  CREATE OR REPLACE FUNCTION follow_original() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(OLD.public_id, 0));
    IF TG_OP = 'UPDATE' THEN
      INSERT INTO originals
            (public_id, delivery_type, issuer_id, sha256, bytes, format, width, height, version${column})
      SELECT NEW.public_id, NEW.delivery_type, issuer_id, sha256, bytes, format, width, height, version${value}
        FROM originals WHERE public_id = OLD.public_id AND delivery_type = OLD.delivery_type${old}
      ON CONFLICT DO NOTHING;
    END IF;
    DELETE FROM originals AS o
     WHERE o.public_id = OLD.public_id AND o.delivery_type = OLD.delivery_type${old.replace('account_id', 'o.account_id')}
       AND NOT EXISTS (SELECT FROM images AS i WHERE i.public_id = o.public_id
                          AND i.delivery_type = o.delivery_type${same('i')} AND i.deleted_at IS NULL)
       AND NOT EXISTS (SELECT FROM overlays AS l WHERE l.public_id = o.public_id
                          AND l.delivery_type = o.delivery_type${same('l')});
    RETURN NULL;
  END $$`;
};

const retainPublicId = (scoped: boolean): string => {
  const same = (row: string): string => (scoped ? ` AND account_id = (${row}->>'account_id')::uuid` : '');
  const [column, value] = scoped ? [', account_id', `, (was->>'account_id')::uuid`] : ['', ''];
  return `
  CREATE OR REPLACE FUNCTION retain_public_id() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    was jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    is_now jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
  BEGIN
    IF was->>'deleted_at' IS NOT NULL THEN was := NULL; END IF;
    IF is_now->>'deleted_at' IS NOT NULL THEN is_now := NULL; END IF;
    IF is_now IS NOT NULL THEN
      DELETE FROM retained_public_ids
       WHERE public_id = is_now->>'public_id' AND delivery_type = is_now->>'delivery_type'${same('is_now')}
         AND issuer_id = (is_now->>'issuer_id')::uuid;
    END IF;
    IF was IS NOT NULL AND coalesce(current_setting('pixseal.account_event', true), '') <> 'on' THEN
      PERFORM pg_advisory_xact_lock(hashtextextended(was->>'public_id', 0));
      INSERT INTO retained_public_ids (id, public_id, delivery_type, issuer_id, version${column})
      SELECT gen_random_uuid(), was->>'public_id', was->>'delivery_type', (was->>'issuer_id')::uuid,
             coalesce((was->>'version')::bigint,
                      floor(extract(epoch FROM (was->>'updated_at')::timestamptz))::bigint)${value}
       WHERE NOT EXISTS (SELECT FROM images WHERE public_id = was->>'public_id'
                            AND delivery_type = was->>'delivery_type'${same('was')} AND deleted_at IS NULL)
         AND NOT EXISTS (SELECT FROM overlays WHERE public_id = was->>'public_id'
                            AND delivery_type = was->>'delivery_type'${same('was')})
      ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
  END $$`;
};
