import type { DataSource } from 'typeorm';

/** Everything that migrations create, by kind and name: columns, constraints, indexes, triggers, functions. */
export function schemaOf(
  dataSource: DataSource,
): Promise<readonly { readonly kind: string; readonly name: string; readonly definition: string }[]> {
  return dataSource.query(
    `SELECT * FROM (
       SELECT 'column' AS kind, table_name || '.' || column_name AS name,
              concat_ws(' ', data_type, character_maximum_length, is_nullable, column_default) AS definition
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'migrations'
       UNION ALL
       SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
         FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'migrations'
       UNION ALL
       SELECT 'index', indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename <> 'migrations'
       UNION ALL
       SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
       UNION ALL
       SELECT 'function', proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
     ) AS everything ORDER BY kind, name`,
  );
}
