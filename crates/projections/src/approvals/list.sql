SELECT
    position,
    approval_id,
    stream,
    request_id,
    state,
    what,
    position_stream,
    trading_date,
    client_code,
    venue,
    symbol,
    product,
    order_id,
    quantity,
    limit_price,
    counted_price,
    time_in_force,
    evidence,
    notional,
    limit_notional,
    epoch,
    asked_by,
    asked_at,
    answered_by,
    answered_at,
    reason,
    order_request_id,
    refusal_code,
    refusal_detail,
    version,
    updated_position
FROM approvals
WHERE ($1::text IS NULL OR state = $1)
    AND ($2::text IS NULL OR client_code = $2)
    AND ($3::text IS NULL OR asked_by = $3)
    AND ($4::bigint IS NULL OR position < $4)
ORDER BY position DESC
LIMIT $5
