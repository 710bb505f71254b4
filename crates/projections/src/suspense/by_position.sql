SELECT
    position,
    stream,
    venue,
    report_key,
    reason,
    message,
    suspended_at,
    execution_key,
    account,
    symbol,
    side,
    quantity,
    price,
    state,
    matched_stream,
    settled_by,
    settled_reason,
    settled_at,
    contradicted_stream,
    version,
    updated_position
FROM suspense
WHERE position = $1
