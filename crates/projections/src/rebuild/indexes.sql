SELECT
    table_class.relname::text AS "table!",
    CASE
        WHEN held.oid IS NULL THEN format('DROP INDEX %I', index_class.relname)
        ELSE format('ALTER TABLE %I DROP CONSTRAINT %I', table_class.relname, held.conname)
    END AS "take_off!",
    CASE
        -- The definition names the schema, which a swap renames: the step must hold wherever the tables are by then.
        WHEN held.oid IS NULL
            THEN replace(pg_get_indexdef(index_class.oid), format(' ON %I.', current_schema()), ' ON ')
        ELSE format('ALTER TABLE %I ADD CONSTRAINT %I %s', table_class.relname, held.conname, pg_get_constraintdef(held.oid))
    END AS "build!"
FROM pg_index
JOIN pg_class AS index_class ON index_class.oid = pg_index.indexrelid
JOIN pg_class AS table_class ON table_class.oid = pg_index.indrelid
LEFT JOIN pg_constraint AS held ON held.conindid = pg_index.indexrelid AND held.contype IN ('p', 'u')
WHERE table_class.relnamespace = current_schema()::regnamespace
    AND table_class.relname NOT IN ('checkpoint', 'rebuild', 'rebuild_steps', '_sqlx_migrations')
ORDER BY table_class.relname, index_class.relname
