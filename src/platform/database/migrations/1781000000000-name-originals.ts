import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The file name of an uploaded original, for downloads; null for those that were uploaded before. */
export class NameOriginals1781000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE originals ADD original_filename varchar(200)`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE originals DROP original_filename`);
  }
}
