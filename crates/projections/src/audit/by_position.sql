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
WHERE position = $1
