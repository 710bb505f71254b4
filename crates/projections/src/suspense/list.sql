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
WHERE ($1::text IS NULL OR state = $1)
    AND ($2::text IS NULL OR venue = $2)
    AND ($3::text IS NULL OR account = $3)
    AND ($4::text IS NULL OR symbol = $4)
    AND ($5::text IS NULL OR execution_key = $5)
    AND ($6::bigint IS NULL OR position < $6)
ORDER BY position DESC
LIMIT $7
