WITH reports AS (
    -- Nearly all are the trades as they were first told.
    SELECT
        position,
        CASE WHEN origin = 'primary' THEN 'PrimaryTradeApplied' ELSE 'Executed' END AS event_type,
        execution_key,
        order_id,
        stream,
        client_code,
        side,
        told_quantity AS quantity,
        told_price AS price,
        executed_at AS occurred_at,
        told_at AS recorded_at,
        told_by AS actor,
        late,
        NULL AS summary
    FROM trades
    WHERE told_at IS NOT NULL
    UNION ALL
    SELECT
        position,
        event_type,
        execution_key,
        order_id,
        stream,
        client_code,
        side,
        quantity,
        price,
        occurred_at,
        recorded_at,
        actor,
        false,
        summary
    FROM audit
    WHERE execution_key IS NOT NULL
)
SELECT
    position AS "position!",
    event_type AS "event_type!",
    execution_key AS "execution_key!",
    order_id,
    stream AS "stream!",
    client_code,
    side,
    quantity,
    price,
    occurred_at AS "occurred_at!",
    recorded_at AS "recorded_at!",
    actor AS "actor!",
    late AS "late!",
    summary
FROM reports
WHERE ($1::text IS NULL OR client_code = $1)
    AND ($2::uuid IS NULL OR (order_id = $2 AND client_code = (SELECT client_code FROM orders WHERE order_id = $2)))
    AND (
        $3::text IS NULL
        OR (execution_key = $3 AND client_code IN (SELECT trades.client_code FROM trades WHERE trades.execution_key = $3))
    )
    AND ($4::text IS NULL OR event_type = $4)
    AND ($5::timestamptz IS NULL OR recorded_at >= $5)
    AND ($6::timestamptz IS NULL OR recorded_at < $6)
    AND ($7::bigint IS NULL OR position < $7)
ORDER BY position DESC
LIMIT $8
