import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Rows of rejected assets are not shown; and of each asset the latest outcome of its moderation and its latest folder, so
 * that notifications may arrive late, repeated or out of order.
 */
export class AddModeration1776000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const table of ['images', 'overlays']) {
      await queryRunner.query(`ALTER TABLE ${table} ADD rejected_at timestamptz`);
    }
    await queryRunner.query(`
      ALTER TABLE cloudinary_assets
        ADD moderated_at timestamptz,
        ADD rejected boolean NOT NULL DEFAULT false,
        ADD restricted_at timestamptz,
        ADD folder text,
        ADD folder_at timestamptz,
        ADD CHECK ((folder IS NULL) = (folder_at IS NULL))`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE cloudinary_assets DROP moderated_at, DROP rejected, DROP restricted_at, DROP folder, DROP folder_at`);
    for (const table of ['images', 'overlays']) {
      await queryRunner.query(`ALTER TABLE ${table} DROP rejected_at`);
    }
  }
}
