SELECT
    position,
    execution_key,
    order_id,
    stream,
    client_code,
    venue,
    symbol,
    product,
    side,
    quantity,
    price,
    exchange_order_id,
    executed_at,
    late
FROM trades
WHERE ($1::text IS NULL OR client_code = $1)
    AND ($2::uuid IS NULL OR order_id = $2)
    AND ($3::text IS NULL OR venue = $3)
    AND ($4::text IS NULL OR symbol = $4)
    AND ($5::bigint IS NULL OR position < $5)
ORDER BY position DESC
LIMIT $6
