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
    SELECT
        position,
        occurred_at,
        CASE
            WHEN event_type = 'MarketPhaseChanged' THEN 'market'
            WHEN stream LIKE 'session-%' THEN 'session'
            WHEN stream LIKE 'bulk-%' THEN 'bulk'
            WHEN stream LIKE 'approval-%' THEN 'approval'
            ELSE 'platform'
        END AS kind,
        event_type,
        actor,
        stream,
        summary
    FROM spans
    JOIN audit ON timeline AND position BETWEEN first AND last
    UNION
    -- Orders have no row in the trail; who asked for them is told by the request.
    SELECT
        placed_position,
        placed_at,
        CASE WHEN placed_position = first THEN 'first-order' ELSE 'last-order' END,
        'OrderPlaced',
        asked.actor,
        orders.stream,
        asked.summary
    FROM ends
    JOIN orders ON placed_position IN (first, last)
    JOIN audit AS asked ON asked.kind <> 'fact'
        AND asked.event_type = 'SquareOffAccepted'
        AND asked.request_id = orders.request_id
        AND asked.stream = orders.stream
)
SELECT
    position AS "position!",
    occurred_at AS "at!",
    kind AS "kind!",
    event_type AS "event_type!",
    actor AS "actor!",
    stream AS "stream!",
    summary AS "detail!"
FROM told
ORDER BY position
