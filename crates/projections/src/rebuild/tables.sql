SELECT
    table_class.relname::text AS "name!",
    array_agg(quote_ident(key_column.attname) ORDER BY place) AS "key!",
    EXISTS (
        SELECT
        FROM pg_attribute
        WHERE attrelid = table_class.oid AND attname = 'updated_position'
    ) AS "rows_change!"
FROM pg_index
JOIN pg_class AS table_class ON table_class.oid = pg_index.indrelid
CROSS JOIN unnest(pg_index.indkey::smallint[]) WITH ORDINALITY AS key_part (attribute, place)
JOIN pg_attribute AS key_column ON key_column.attrelid = table_class.oid AND key_column.attnum = key_part.attribute
WHERE pg_index.indisprimary
    AND table_class.relnamespace = current_schema()::regnamespace
    AND table_class.relname NOT IN ('rebuild', 'rebuild_steps', '_sqlx_migrations')
GROUP BY table_class.oid, table_class.relname
ORDER BY table_class.relname
