import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Revoking and restoring are recorded in the audit log, as every write is. */
export class RecordRevocations1770000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TRIGGER revocations_audit AFTER INSERT OR DELETE OR UPDATE ON revocations
      FOR EACH ROW EXECUTE FUNCTION record_write('revocation', '')`);
    await queryRunner.query(`
      CREATE TRIGGER revocations_audit_truncate AFTER TRUNCATE ON revocations
      FOR EACH STATEMENT EXECUTE FUNCTION record_write('revocation', '')`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TRIGGER revocations_audit_truncate ON revocations`);
    await queryRunner.query(`DROP TRIGGER revocations_audit ON revocations`);
  }
}
