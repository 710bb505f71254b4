SELECT
    order_id,
    cl_ord_id,
    current_cl_ord_id,
    origin,
    stream,
    trading_date,
    client_code,
    venue,
    symbol,
    product,
    side,
    quantity,
    price,
    placed_quantity,
    placed_price,
    replaces,
    time_in_force,
    slice,
    slices,
    request_id,
    exchange_order_id,
    cumulative_quantity,
    leaves_quantity,
    average_price,
    status,
    working,
    late_fills,
    reject_code,
    reject_text,
    placed_at,
    placed_position,
    version,
    updated_position,
    updated_at
FROM orders
WHERE ($1::text IS NULL OR client_code = $1)
    AND ($2::text IS NULL OR status = $2)
    AND ($3::text IS NULL OR venue = $3)
    AND ($4::text IS NULL OR symbol = $4)
    AND ($5::text IS NULL OR product = $5)
    AND ($6::date IS NULL OR trading_date = $6)
    AND ($7::text IS NULL OR origin = $7)
    AND ($8::uuid IS NULL OR request_id = $8)
    AND (NOT $9::bool OR working)
    AND ($10::bigint IS NULL OR placed_position > $10)
ORDER BY placed_position
LIMIT $11
