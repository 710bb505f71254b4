WITH spans AS (
    -- An incident that was never ended lasts until the next one begins, whichever day that is of.
    SELECT
        began_position AS first,
        COALESCE(
            ended_position,
            (SELECT min(later.began_position) - 1 FROM incidents AS later WHERE later.began_position > incidents.began_position),
            9223372036854775807
        ) AS last
    FROM incidents
    WHERE trading_date = $1
), ends AS (
    SELECT
        min(placed_position) AS first,
        max(placed_position) AS last
    FROM orders
    WHERE origin = 'ours'
        AND trading_date = $1
        AND placed_position >= (SELECT min(first) FROM spans)
), told AS (
    SELECT position
    FROM spans
    JOIN audit ON timeline AND position BETWEEN first AND last
    UNION
    SELECT first FROM ends
    UNION
    SELECT last FROM ends
)
SELECT
    position AS "position!",
    occurred_at AS at,
    CASE
        WHEN position = ends.first THEN 'first-order'
        WHEN position = ends.last THEN 'last-order'
        WHEN event_type = 'MarketPhaseChanged' THEN 'market'
        WHEN stream LIKE 'session-%' THEN 'session'
        WHEN stream LIKE 'bulk-%' THEN 'bulk'
        ELSE 'platform'
    END AS "kind!",
    event_type,
    actor,
    stream,
    summary AS detail
FROM told
JOIN audit USING (position)
CROSS JOIN ends
ORDER BY position
