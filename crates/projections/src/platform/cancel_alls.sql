SELECT
    kill_id,
    scope,
    state,
    reason,
    requested_by,
    requested_at,
    requested_position,
    decided_by,
    decided_at,
    version,
    updated_position
FROM cancel_alls
ORDER BY state = 'requested' DESC, requested_position DESC
LIMIT $1
