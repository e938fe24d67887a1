import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How often a key was used and when last. Apart from the keys, whose every change the directories hear of: written
 * there, each count would make them read the issuer again.
 */
export class CreateIssuerKeyUses1767100000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE issuer_key_uses (
        key_id uuid PRIMARY KEY REFERENCES issuer_keys ON DELETE CASCADE,
        uses bigint NOT NULL CHECK (uses > 0),
        last_used_at timestamptz NOT NULL
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE issuer_key_uses`);
  }
}
