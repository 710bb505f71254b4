SELECT
    stream,
    phase,
    phase_since,
    phase_by,
    epoch,
    trading_date,
    asked_date,
    asked_reason,
    asked_outage_began_at,
    asked_by,
    asked_approved_by,
    handback_requested_by,
    version,
    updated_position,
    updated_at
FROM platform
ORDER BY stream
