SELECT
    client_code,
    venue,
    symbol,
    side,
    sum(live_quantity)::bigint AS "quantity!",
    count(*) AS "trades!"
FROM trades
WHERE order_id IS NOT NULL AND live_quantity > 0
GROUP BY client_code, venue, symbol, side
ORDER BY client_code, venue, symbol, side
