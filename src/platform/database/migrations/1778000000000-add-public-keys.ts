import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keys may be public keys, of rows or of an issuer's JWKS; tokens of an identity provider name an issuer by an alias. */
export class AddPublicKeys1778000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE issuer_keys DROP CONSTRAINT issuer_keys_algorithm_check`);
    await queryRunner.query(`
      ALTER TABLE issuer_keys
        ALTER secret DROP NOT NULL,
        ADD public_key varchar(4096),
        ADD CONSTRAINT issuer_keys_algorithm_check CHECK (
          CASE WHEN algorithm IN ('HS256', 'HS384', 'HS512') THEN secret IS NOT NULL AND public_key IS NULL
               ELSE algorithm IN ('EdDSA', 'ES256', 'RS256', 'PS256') AND secret IS NULL AND public_key IS NOT NULL END)`);
    await queryRunner.query(`
      ALTER TABLE issuers
        ADD jwks_url varchar(500) CHECK (jwks_url ~ '^https://'),
        ADD aud varchar(255) CHECK (aud <> ''),
        ADD iss_aliases text[] NOT NULL DEFAULT '{}' CHECK (cardinality(iss_aliases) <= 8)`);
    await queryRunner.query(`CREATE INDEX issuers_iss_aliases ON issuers USING gin (iss_aliases)`);

    // An alias names one issuer. The lock orders two writers of aliases, which are rare.
    await queryRunner.query(`
      CREATE FUNCTION check_iss_aliases() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended('pixseal.iss_aliases', 0));
        IF EXISTS (SELECT FROM issuers WHERE iss_aliases && NEW.iss_aliases AND id <> NEW.id) THEN
          RAISE unique_violation USING
            MESSAGE = 'the alias belongs to another issuer', CONSTRAINT = 'issuers_iss_aliases';
        END IF;
        RETURN NEW;
      END $$`);
    await queryRunner.query(`
      CREATE TRIGGER issuers_iss_aliases BEFORE INSERT OR UPDATE OF iss_aliases ON issuers
      FOR EACH ROW WHEN (NEW.iss_aliases <> '{}') EXECUTE FUNCTION check_iss_aliases()`);
  }

  /** Deletes the public keys: an older release would read them as secrets. Their tokens are refused from then on. */
  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TRIGGER issuers_iss_aliases ON issuers`);
    await queryRunner.query(`DROP FUNCTION check_iss_aliases()`);
    await queryRunner.query(`DROP INDEX issuers_iss_aliases`);
    await queryRunner.query(`ALTER TABLE issuers DROP jwks_url, DROP aud, DROP iss_aliases`);
    await queryRunner.query(`DELETE FROM issuer_keys WHERE secret IS NULL`);
    await queryRunner.query(`ALTER TABLE issuer_keys DROP CONSTRAINT issuer_keys_algorithm_check`);
    await queryRunner.query(`
      ALTER TABLE issuer_keys
        DROP public_key,
        ALTER secret SET NOT NULL,
        ADD CONSTRAINT issuer_keys_algorithm_check CHECK (algorithm IN ('HS256', 'HS384', 'HS512'))`);
  }
}
