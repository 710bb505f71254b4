INSERT INTO market_phases (
    venue,
    segment,
    trading_date,
    phase,
    source,
    since,
    version,
    updated_position
)
SELECT
    UNNEST($1::text[]),
    UNNEST($2::text[]),
    UNNEST($3::date[]),
    UNNEST($4::text[]),
    UNNEST($5::text[]),
    UNNEST($6::timestamptz[]),
    UNNEST($7::bigint[]),
    UNNEST($8::bigint[])
ON CONFLICT ON CONSTRAINT market_phases_pkey DO UPDATE SET
    trading_date = excluded.trading_date,
    phase = excluded.phase,
    source = excluded.source,
    since = excluded.since,
    version = excluded.version,
    updated_position = excluded.updated_position
WHERE market_phases.version < excluded.version
