import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Pictures that were seen, new ones of a day by issuer, and uses of tokens with `max_uses`. They are written at redirects:
 * no change of them invalidates a cached row.
 */
export class CreatePicturesAndUses1779000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE pictures (
        issuer_id uuid NOT NULL REFERENCES issuers ON DELETE CASCADE,
        digest bytea NOT NULL CHECK (octet_length(digest) = 16),
        seen_on date NOT NULL,
        PRIMARY KEY (issuer_id, digest)
      )`);
    await queryRunner.query(`CREATE INDEX pictures_seen_on ON pictures (seen_on)`);
    await queryRunner.query(`
      CREATE TABLE picture_days (
        issuer_id uuid NOT NULL REFERENCES issuers ON DELETE CASCADE,
        day date NOT NULL,
        pictures integer NOT NULL CHECK (pictures >= 0),
        PRIMARY KEY (issuer_id, day)
      )`);
    await queryRunner.query(`
      CREATE TABLE token_uses (
        issuer_id uuid NOT NULL REFERENCES issuers ON DELETE CASCADE,
        token bytea NOT NULL CHECK (octet_length(token) = 32),
        uses integer NOT NULL CHECK (uses > 0),
        expires_at timestamptz NOT NULL,
        PRIMARY KEY (issuer_id, token)
      )`);
    await queryRunner.query(`CREATE INDEX token_uses_expires_at ON token_uses (expires_at)`);
    // An issuer's row of the day is locked first, by issuer: replicas that count pictures of the same issuer wait for each
    // other and cannot deadlock, and each statement behind the lock reads what the former one wrote.
    await queryRunner.query(`
      CREATE FUNCTION pay_pictures(issuer_ids uuid[], budgets integer[], digests bytea[], today date, known_days integer)
      RETURNS TABLE (paid_issuer_id uuid, paid_digest bytea) LANGUAGE plpgsql AS $$
      DECLARE
        wanted record;
        spent integer;
        added integer;
      BEGIN
        FOR wanted IN
          SELECT w.issuer_id, min(w.budget) AS budget, array_agg(DISTINCT w.digest) AS digests
            FROM unnest(issuer_ids, budgets, digests) AS w (issuer_id, budget, digest)
            JOIN issuers ON issuers.id = w.issuer_id
           GROUP BY w.issuer_id
           ORDER BY w.issuer_id
        LOOP
          IF EXISTS (
            SELECT FROM unnest(wanted.digests) AS each
             WHERE NOT EXISTS (SELECT FROM pictures AS known
                                WHERE known.issuer_id = wanted.issuer_id AND known.digest = each AND known.seen_on >= today)
          ) THEN
            INSERT INTO picture_days AS counted (issuer_id, day, pictures) VALUES (wanted.issuer_id, today, 0)
              ON CONFLICT (issuer_id, day) DO UPDATE SET pictures = counted.pictures
              RETURNING counted.pictures INTO spent;
            UPDATE pictures AS known SET seen_on = today
             WHERE known.issuer_id = wanted.issuer_id AND known.digest = ANY (wanted.digests)
               AND known.seen_on >= today - known_days AND known.seen_on < today;
            INSERT INTO pictures AS known (issuer_id, digest, seen_on)
            SELECT wanted.issuer_id, each, today
              FROM unnest(wanted.digests) AS each
             WHERE NOT EXISTS (SELECT FROM pictures AS seen
                                WHERE seen.issuer_id = wanted.issuer_id AND seen.digest = each AND seen.seen_on >= today)
             LIMIT greatest(0, wanted.budget - spent)
            ON CONFLICT (issuer_id, digest) DO UPDATE SET seen_on = today;
            GET DIAGNOSTICS added = ROW_COUNT;
            UPDATE picture_days SET pictures = pictures + added
             WHERE added > 0 AND picture_days.issuer_id = wanted.issuer_id AND picture_days.day = today;
          END IF;
          RETURN QUERY
            SELECT known.issuer_id, known.digest FROM pictures AS known
             WHERE known.issuer_id = wanted.issuer_id AND known.digest = ANY (wanted.digests) AND known.seen_on >= today;
        END LOOP;
      END $$`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP FUNCTION pay_pictures`);
    await queryRunner.query(`DROP TABLE token_uses`);
    await queryRunner.query(`DROP TABLE picture_days`);
    await queryRunner.query(`DROP TABLE pictures`);
  }
}
