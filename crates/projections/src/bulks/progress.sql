WITH items AS (
    SELECT
        item,
        bulk_items.phase,
        CASE
            WHEN outcome IS NOT NULL THEN outcome
            WHEN bulks.phase = 'cancel-working' AND bulk_items.working_orders > 0 AND NOT bulk_items.cancelled THEN 'cancelling'
            WHEN bulks.phase <> 'cancel-working' AND positions.working_orders - positions.external_working_orders > 0 THEN 'sent'
            WHEN abs(positions.net_quantity) < abs(bulk_items.net_quantity) THEN 'partly-filled'
            ELSE 'planned'
        END AS state,
        abs(bulk_items.net_quantity) AS quantity,
        CASE
            WHEN outcome IS NULL THEN abs(bulk_items.net_quantity) - abs(positions.net_quantity)
            WHEN outcome = 'closed' THEN outcome_quantity
            WHEN outcome = 'failed' THEN abs(bulk_items.net_quantity) - outcome_quantity
        END AS closed_now
    FROM bulk_items
    JOIN bulks USING (bulk_id)
    LEFT JOIN positions USING (stream)
    WHERE bulk_id = $1
)
SELECT
    phase,
    count(*) AS "items!",
    count(*) FILTER (WHERE state = 'planned') AS "planned!",
    count(*) FILTER (WHERE state = 'cancelling') AS "cancelling!",
    count(*) FILTER (WHERE state = 'sent') AS "sent!",
    count(*) FILTER (WHERE state = 'partly-filled') AS "partly_filled!",
    count(*) FILTER (WHERE state = 'closed') AS "closed!",
    count(*) FILTER (WHERE state = 'nothing-to-do') AS "nothing_to_do!",
    count(*) FILTER (WHERE state = 'refused') AS "refused!",
    count(*) FILTER (WHERE state = 'failed') AS "failed!",
    count(*) FILTER (WHERE state = 'skipped') AS "skipped!",
    sum(quantity)::bigint AS "quantity!",
    COALESCE(sum(greatest(closed_now, 0)), 0)::bigint AS "quantity_closed!"
FROM items
GROUP BY phase
-- Items are listed in the order of phases.
ORDER BY min(item)
