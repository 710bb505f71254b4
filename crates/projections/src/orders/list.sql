SELECT
    order_id,
    cl_ord_id,
    stream,
    client_code,
    venue,
    symbol,
    product,
    side,
    quantity,
    price,
    time_in_force,
    slice,
    slices,
    request_id,
    exchange_order_id,
    cumulative_quantity,
    leaves_quantity,
    average_price,
    status,
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
    AND ($5::bigint IS NULL OR placed_position < $5)
ORDER BY placed_position DESC
LIMIT $6
