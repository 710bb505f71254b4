SELECT
    stream,
    net_quantity,
    closable_quantity,
    working_orders,
    external_working_orders,
    frozen_reason IS NOT NULL AS "frozen!",
    handed_back_epoch IS NOT NULL AS "handed_back!"
FROM positions
WHERE trading_date = $1
    AND net_quantity <> 0
    AND ($2::text IS NULL OR client_code = $2)
    AND ($3::text IS NULL OR venue = $3)
    AND ($4::text IS NULL OR symbol = $4)
    AND ($5::text IS NULL OR product = $5)
ORDER BY stream
