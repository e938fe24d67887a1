import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Redirects and refusals of each issuer by hour. Counts of the past 90 days: the service deletes older ones. */
export class CreateIssuerUsage1777000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE issuer_usage (
        issuer_id uuid NOT NULL REFERENCES issuers ON DELETE CASCADE,
        hour timestamptz NOT NULL,
        redirects bigint NOT NULL CHECK (redirects >= 0),
        refusals bigint NOT NULL CHECK (refusals >= 0),
        PRIMARY KEY (issuer_id, hour)
      )`);
    // For the sums over all issuers, and for deleting old counts.
    await queryRunner.query(`CREATE INDEX issuer_usage_hour ON issuer_usage (hour)`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE issuer_usage`);
  }
}
