SELECT
    began_position,
    trading_date,
    reason,
    outage_began_at,
    requested_at,
    requested_by,
    approved_at,
    approved_by,
    epoch,
    activated_at,
    activated_by,
    handback_requested_at,
    handback_requested_by,
    handback_approved_at,
    handback_approved_by,
    ended,
    ended_at,
    ended_by,
    ended_position,
    handed_back_positions,
    handed_back_orders,
    handed_back_executions,
    handed_back_net_digest,
    version,
    updated_position
FROM incidents
WHERE trading_date = $1
ORDER BY began_position
