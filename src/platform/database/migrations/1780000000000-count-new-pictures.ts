import type { MigrationInterface, QueryRunner } from 'typeorm';

/** `pay_pictures` returns which pictures it counted as new. Processes that do not read the column are not affected. */
export class CountNewPictures1780000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP FUNCTION pay_pictures`);
    await queryRunner.query(`
      CREATE FUNCTION pay_pictures(issuer_ids uuid[], budgets integer[], digests bytea[], today date, known_days integer)
      RETURNS TABLE (paid_issuer_id uuid, paid_digest bytea, is_new boolean) LANGUAGE plpgsql AS $$
      DECLARE
        wanted record;
        spent integer;
        added bytea[];
      BEGIN
        FOR wanted IN
          SELECT w.issuer_id, min(w.budget) AS budget, array_agg(DISTINCT w.digest) AS digests
            FROM unnest(issuer_ids, budgets, digests) AS w (issuer_id, budget, digest)
            JOIN issuers ON issuers.id = w.issuer_id
           GROUP BY w.issuer_id
           ORDER BY w.issuer_id
        LOOP
          added := '{}';
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
            WITH inserted AS (
              INSERT INTO pictures AS known (issuer_id, digest, seen_on)
              SELECT wanted.issuer_id, each, today
                FROM unnest(wanted.digests) AS each
               WHERE NOT EXISTS (SELECT FROM pictures AS seen
                                  WHERE seen.issuer_id = wanted.issuer_id AND seen.digest = each AND seen.seen_on >= today)
               LIMIT greatest(0, wanted.budget - spent)
              ON CONFLICT (issuer_id, digest) DO UPDATE SET seen_on = today
              RETURNING known.digest
            )
            SELECT coalesce(array_agg(digest), '{}') FROM inserted INTO added;
            UPDATE picture_days SET pictures = pictures + cardinality(added)
             WHERE cardinality(added) > 0 AND picture_days.issuer_id = wanted.issuer_id AND picture_days.day = today;
          END IF;
          RETURN QUERY
            SELECT known.issuer_id, known.digest, known.digest = ANY (added) FROM pictures AS known
             WHERE known.issuer_id = wanted.issuer_id AND known.digest = ANY (wanted.digests) AND known.seen_on >= today;
        END LOOP;
      END $$`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP FUNCTION pay_pictures`);
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
}
