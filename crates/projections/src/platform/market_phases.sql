SELECT
    venue,
    segment,
    trading_date,
    phase,
    source,
    since,
    version,
    updated_position
FROM market_phases
ORDER BY venue, segment
