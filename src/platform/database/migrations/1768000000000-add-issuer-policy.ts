import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What an issuer's tokens may do: one document, read whole and replaced whole. */
export class AddIssuerPolicy1768000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE issuers ADD COLUMN policy jsonb NOT NULL DEFAULT '{}'
        CONSTRAINT issuers_policy_object CHECK (jsonb_typeof(policy) = 'object')`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE issuers DROP COLUMN policy`);
  }
}
