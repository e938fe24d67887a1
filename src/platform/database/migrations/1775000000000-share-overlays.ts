import type { MigrationInterface, QueryRunner } from 'typeorm';

/** An overlay may be shared: policies of other issuers of its account may use it. */
export class ShareOverlays1775000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE overlays ADD COLUMN shared boolean NOT NULL DEFAULT false`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE overlays DROP COLUMN shared`);
  }
}
