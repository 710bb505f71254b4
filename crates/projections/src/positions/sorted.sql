WITH found AS (
    SELECT
        positions.stream,
        positions.trading_date,
        positions.client_code,
        positions.venue,
        positions.symbol,
        positions.product,
        segment AS segment,
        kind AS kind,
        expiry AS expiry,
        option_type AS option_type,
        positions.bod_quantity,
        positions.bod_average_price,
        positions.net_quantity,
        positions.working_quantity,
        positions.external_working_quantity,
        positions.closable_quantity,
        positions.working_orders,
        positions.external_working_orders,
        positions.average_price,
        positions.realized_profit,
        CASE
            WHEN net_quantity = 0 THEN 0
            -- As the domain does it: the nearest amount there is. Nothing is known without a mark, which least and greatest would pass over.
            WHEN reference_price IS NOT NULL THEN least(greatest(reference_price::numeric * net_quantity - open_cost, -9223372036854775808), 9223372036854775807)
        END::bigint AS unrealized_profit,
        reference_price AS mark,
        reference_at AS mark_at,
        positions.bought_quantity,
        positions.sold_quantity,
        positions.trades,
        positions.unbooked_trades,
        positions.contradicted_trades,
        positions.contradictions,
        positions.frozen_reason,
        positions.handed_back_epoch,
        positions.version,
        positions.updated_position,
        positions.updated_at,
        -- What nobody knows counts as nothing.
        CASE
            WHEN $14::text = 'closable_quantity' THEN closable_quantity
            WHEN reference_price IS NULL OR net_quantity = 0 THEN 0
            WHEN $14 = 'notional' THEN least(abs(net_quantity::numeric) * reference_price, 9223372036854775807)::bigint
            WHEN $14 = 'unrealized_profit' THEN least(greatest(reference_price::numeric * net_quantity - open_cost, -9223372036854775808), 9223372036854775807)::bigint
            ELSE 0
        END AS number,
        CASE WHEN $14 = 'symbol' THEN positions.symbol ELSE '' END AS word
    FROM positions
    LEFT JOIN contracts USING (trading_date, venue, symbol)
    WHERE positions.trading_date = COALESCE($1::date, (SELECT max(trading_date) FROM positions))
        AND ($2::text IS NULL OR client_code = $2)
        AND ($3::text IS NULL OR positions.venue = $3)
        AND ($4::text IS NULL OR positions.symbol = $4)
        AND ($5::text IS NULL OR product = $5)
        AND ($6::text IS NULL OR segment = $6)
        AND ($7::date IS NULL OR expiry = $7)
        AND (NOT $8::bool OR net_quantity <> 0)
        AND (NOT $9::bool OR working_orders > 0)
        AND (NOT $10::bool OR frozen_reason IS NOT NULL)
        AND (NOT $11::bool OR unbooked_trades + contradicted_trades + contradictions > 0)
)
SELECT
    stream,
    trading_date,
    client_code,
    venue,
    symbol,
    product,
    segment AS "segment?",
    kind AS "kind?",
    expiry AS "expiry?",
    option_type AS "option_type?",
    bod_quantity,
    bod_average_price,
    net_quantity,
    working_quantity,
    external_working_quantity,
    closable_quantity,
    working_orders,
    external_working_orders,
    average_price,
    realized_profit,
    unrealized_profit,
    mark AS "mark?",
    mark_at AS "mark_at?",
    bought_quantity,
    sold_quantity,
    trades,
    unbooked_trades,
    contradicted_trades,
    contradictions,
    frozen_reason,
    handed_back_epoch,
    version,
    updated_position,
    updated_at
FROM found
WHERE $12::text IS NULL
    OR CASE
        WHEN $15::bool THEN (number, word, stream) < ($16::bigint, $17::text, $12)
        ELSE (number, word, stream) > ($16::bigint, $17::text, $12)
    END
-- One of each pair of orders is of nulls alone.
ORDER BY
    CASE WHEN NOT $15 THEN number END,
    CASE WHEN $15 THEN number END DESC,
    CASE WHEN NOT $15 THEN word END,
    CASE WHEN $15 THEN word END DESC,
    CASE WHEN NOT $15 THEN stream END,
    CASE WHEN $15 THEN stream END DESC
LIMIT $13
