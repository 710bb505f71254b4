SELECT
    position,
    execution_key,
    origin,
    order_id,
    stream,
    trading_date,
    client_code,
    venue,
    symbol,
    product,
    side,
    quantity,
    price,
    told_quantity,
    told_price,
    live_quantity,
    status,
    is_break,
    drop_copy_side,
    drop_copy_quantity,
    drop_copy_price,
    exchange_order_id,
    executed_at,
    told_at,
    told_by,
    late,
    version,
    updated_position,
    updated_at
FROM trades
WHERE ($1::text IS NULL OR client_code = $1)
    AND ($2::uuid IS NULL OR (order_id = $2 AND client_code = (SELECT client_code FROM orders WHERE order_id = $2)))
    AND ($3::text IS NULL OR venue = $3)
    AND ($4::text IS NULL OR symbol = $4)
    AND ($5::date IS NULL OR trading_date = $5)
    AND ($6::text IS NULL OR origin = $6)
    AND ($7::text IS NULL OR status = $7)
    AND ($8::text IS NULL OR execution_key = $8)
    AND (NOT $9::bool OR is_break)
    AND ($10::bigint IS NULL OR position > $10)
ORDER BY position
LIMIT $11
