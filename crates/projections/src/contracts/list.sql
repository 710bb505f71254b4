SELECT
    trading_date,
    venue,
    symbol,
    segment,
    kind,
    expiry,
    strike,
    option_type,
    lot,
    tick,
    freeze_quantity,
    band_low,
    band_high,
    reference_price,
    reference_at,
    price_protection,
    protection_low,
    protection_high,
    restriction,
    reference_version,
    version,
    updated_position
FROM contracts
WHERE trading_date = $1
    AND ($2::text IS NULL OR venue = $2)
    AND ($3::text IS NULL OR segment = $3)
    AND ($4::date IS NULL OR expiry = $4)
    AND ($5::text IS NULL OR (venue, symbol) > ($5, $6::text))
ORDER BY venue, symbol
LIMIT $7
