INSERT INTO positions (
    stream,
    trading_date,
    client_code,
    venue,
    symbol,
    product,
    bod_quantity,
    bod_average_price,
    net_quantity,
    working_quantity,
    closable_quantity,
    version,
    updated_position,
    updated_at
)
SELECT
    UNNEST($1::text[]),
    UNNEST($2::date[]),
    UNNEST($3::text[]),
    UNNEST($4::text[]),
    UNNEST($5::text[]),
    UNNEST($6::text[]),
    UNNEST($7::bigint[]),
    UNNEST($8::bigint[]),
    UNNEST($9::bigint[]),
    UNNEST($10::bigint[]),
    UNNEST($11::bigint[]),
    UNNEST($12::bigint[]),
    UNNEST($13::bigint[]),
    UNNEST($14::timestamptz[])
ON CONFLICT ON CONSTRAINT positions_pkey DO UPDATE SET
    bod_quantity = excluded.bod_quantity,
    bod_average_price = excluded.bod_average_price,
    net_quantity = excluded.net_quantity,
    working_quantity = excluded.working_quantity,
    closable_quantity = excluded.closable_quantity,
    version = excluded.version,
    updated_position = excluded.updated_position,
    updated_at = excluded.updated_at
WHERE positions.version < excluded.version
