SELECT
    position,
    kind,
    event_type,
    occurred_at,
    recorded_at,
    actor,
    stream,
    client_code,
    order_id,
    request_id,
    correlation_id,
    summary
FROM audit
WHERE ($1::text IS NULL OR (actor = $1 AND ($8::bool OR kind <> 'fact')))
    AND ($2::text IS NULL OR client_code = $2)
    -- No key on orders: those of one client are few. What an order came from is the request that it was placed for.
    AND ($3::uuid IS NULL OR (
        client_code = (SELECT client_code FROM orders WHERE order_id = $3)
        AND (order_id = $3 OR (kind <> 'fact' AND request_id = (SELECT request_id FROM orders WHERE order_id = $3)))
    ))
    -- A request's own events are found by its key, the facts that go back to it among those of its clients.
    AND ($4::uuid IS NULL OR position IN (
        SELECT asked.position
        FROM audit AS asked
        WHERE asked.request_id = $4 AND asked.kind <> 'fact'
        UNION ALL
        SELECT fact.position
        FROM audit AS fact
        WHERE fact.correlation_id = $4
            AND fact.client_code IN (SELECT asked.client_code FROM audit AS asked WHERE asked.request_id = $4 AND asked.kind <> 'fact')
    ))
    AND ($5::text IS NULL OR stream = $5)
    AND ($6::text IS NULL OR event_type = $6)
    AND CASE
        WHEN $7::text IS NOT NULL THEN kind = $7
        ELSE $8::bool OR kind <> 'fact'
    END
    AND ($9::timestamptz IS NULL OR recorded_at >= $9)
    AND ($10::timestamptz IS NULL OR recorded_at < $10)
    AND ($11::bigint IS NULL OR position < $11)
ORDER BY position DESC
LIMIT $12
