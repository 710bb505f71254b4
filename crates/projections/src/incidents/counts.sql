WITH placed AS (
    SELECT
        count(DISTINCT request_id) AS square_offs,
        count(*) FILTER (WHERE origin = 'ours') AS orders,
        count(*) FILTER (WHERE origin = 'external') AS external_orders,
        min(placed_at) FILTER (WHERE origin = 'ours') AS first_order_at,
        max(placed_at) FILTER (WHERE origin = 'ours') AS last_order_at
    FROM orders
    WHERE placed_position >= $1 AND ($2::bigint IS NULL OR placed_position <= $2)
), traded AS (
    SELECT
        count(*) AS executions,
        COALESCE(sum(live_quantity), 0)::bigint AS quantity,
        least(COALESCE(sum(live_quantity::numeric * price), 0), 9223372036854775807)::bigint AS value,
        count(DISTINCT client_code) AS clients,
        min(executed_at) AS first_execution_at,
        max(executed_at) AS last_execution_at
    FROM trades
    WHERE position >= $1 AND ($2::bigint IS NULL OR position <= $2)
        AND order_id IS NOT NULL
        AND live_quantity > 0
)
SELECT
    square_offs AS "square_offs!",
    orders AS "orders!",
    external_orders AS "external_orders!",
    executions AS "executions!",
    quantity AS "quantity!",
    value AS "value!",
    clients AS "clients!",
    (
        SELECT count(*)
        FROM audit
        WHERE kind = 'refusal' AND position >= $1 AND ($2::bigint IS NULL OR position <= $2)
    ) AS "refused!",
    (
        SELECT count(*)
        FROM bulks
        WHERE proposed_position >= $1 AND ($2::bigint IS NULL OR proposed_position <= $2)
    ) AS "bulks!",
    first_order_at,
    last_order_at,
    first_execution_at,
    last_execution_at
FROM placed, traded
