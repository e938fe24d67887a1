import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The last notification of Cloudinary for each name, by which a late or repeated one is recognized. */
export class CreateCloudinaryAssets1771000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE cloudinary_assets (
        delivery_type varchar(13) NOT NULL CHECK (delivery_type IN ('upload', 'private', 'authenticated')),
        public_id varchar(255) NOT NULL CHECK (public_id <> ''),
        at timestamptz NOT NULL,
        version bigint CHECK (version BETWEEN 1 AND 9007199254740991),
        format varchar(10),
        gone boolean NOT NULL DEFAULT false,
        moved_to varchar(255),
        image_id uuid REFERENCES images ON DELETE SET NULL,
        overlay_id uuid,
        overlay_issuer_id uuid REFERENCES issuers ON DELETE SET NULL,
        PRIMARY KEY (public_id, delivery_type),
        CHECK (NOT gone OR moved_to IS NULL)
      )`);
    await queryRunner.query(`
      CREATE INDEX cloudinary_assets_at ON cloudinary_assets (at) WHERE image_id IS NULL AND overlay_id IS NULL`);
    await queryRunner.query(`CREATE INDEX cloudinary_assets_image_id ON cloudinary_assets (image_id)`);
    await queryRunner.query(
      `CREATE INDEX cloudinary_assets_overlay_issuer_id ON cloudinary_assets (overlay_issuer_id)`,
    );
    // An upload that is older than the deletion of its image creates no new one.
    await queryRunner.query(`
      CREATE INDEX images_deleted_public_id ON images (public_id, delivery_type) WHERE deleted_at IS NOT NULL`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP INDEX images_deleted_public_id`);
    await queryRunner.query(`DROP TABLE cloudinary_assets`);
  }
}
