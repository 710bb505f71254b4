INSERT INTO clients (
    client_code,
    category,
    branch,
    segments,
    version,
    updated_position
)
SELECT
    UNNEST($1::text[]),
    UNNEST($2::text[]),
    UNNEST($3::text[]),
    string_to_array(UNNEST($4::text[]), ','),
    UNNEST($5::bigint[]),
    UNNEST($6::bigint[])
ON CONFLICT ON CONSTRAINT clients_pkey DO UPDATE SET
    category = excluded.category,
    branch = excluded.branch,
    segments = excluded.segments,
    version = excluded.version,
    updated_position = excluded.updated_position
WHERE clients.version < excluded.version
