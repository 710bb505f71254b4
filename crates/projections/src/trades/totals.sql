SELECT
    client_code,
    venue,
    symbol,
    side,
    sum(quantity)::bigint AS "quantity!",
    count(*) AS "trades!"
FROM trades
GROUP BY client_code, venue, symbol, side
ORDER BY client_code, venue, symbol, side
