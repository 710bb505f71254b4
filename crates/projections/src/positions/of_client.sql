SELECT
    stream,
    trading_date,
    client_code,
    venue,
    symbol,
    product,
    bod_quantity,
    bod_average_price,
    net_quantity,
    working_quantity,
    closable_quantity,
    version,
    updated_position,
    updated_at
FROM positions
WHERE client_code = $1
    AND trading_date = COALESCE($2::date, (SELECT max(trading_date) FROM positions))
ORDER BY venue, symbol, product
