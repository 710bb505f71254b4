WITH items AS (
    SELECT
        item,
        stream,
        bulk_items.client_code,
        bulk_items.venue,
        bulk_items.symbol,
        bulk_items.product,
        bulk_items.phase,
        CASE
            WHEN outcome IS NOT NULL THEN outcome
            WHEN bulks.phase = 'cancel-working' AND bulk_items.working_orders > 0 AND NOT bulk_items.cancelled THEN 'cancelling'
            WHEN bulks.phase <> 'cancel-working' AND positions.working_orders - positions.external_working_orders > 0 THEN 'sent'
            WHEN abs(positions.net_quantity) < abs(bulk_items.net_quantity) THEN 'partly-filled'
            ELSE 'planned'
        END AS state,
        bulk_items.net_quantity,
        bulk_items.notional,
        bulk_items.working_orders,
        bulk_items.cancelled,
        positions.net_quantity AS net_quantity_now,
        positions.working_quantity AS working_quantity_now,
        positions.closable_quantity AS closable_quantity_now,
        outcome_quantity,
        outcome_reason,
        settled_at
    FROM bulk_items
    JOIN bulks USING (bulk_id)
    LEFT JOIN positions USING (stream)
    WHERE bulk_id = $1
        AND ($2::text IS NULL OR bulk_items.phase = $2)
        AND ($3::text IS NULL OR bulk_items.client_code = $3)
)
SELECT
    item,
    stream,
    client_code,
    venue,
    symbol,
    product,
    phase,
    state AS "state!",
    net_quantity,
    notional,
    working_orders,
    cancelled,
    net_quantity_now AS "net_quantity_now?",
    working_quantity_now AS "working_quantity_now?",
    closable_quantity_now AS "closable_quantity_now?",
    outcome_quantity,
    outcome_reason,
    settled_at
FROM items
WHERE ($4::text IS NULL OR state = $4)
    AND ($5::integer IS NULL OR item > $5)
ORDER BY item
LIMIT $6
