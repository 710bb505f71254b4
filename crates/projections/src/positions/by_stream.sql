SELECT
    positions.stream,
    positions.trading_date,
    positions.client_code,
    positions.venue,
    positions.symbol,
    positions.product,
    segment AS "segment?",
    kind AS "kind?",
    expiry AS "expiry?",
    option_type AS "option_type?",
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
        -- As the domain does it: the nearest amount there is. Without a mark there is none, and of a NULL these two would make a bound.
        WHEN reference_price IS NOT NULL THEN least(greatest(reference_price::numeric * net_quantity - open_cost, -9223372036854775808), 9223372036854775807)
    END::bigint AS unrealized_profit,
    reference_price AS "mark?",
    reference_at AS "mark_at?",
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
    positions.updated_at
FROM positions
LEFT JOIN contracts USING (trading_date, venue, symbol)
WHERE stream = $1
