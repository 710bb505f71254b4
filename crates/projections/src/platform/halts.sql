SELECT
    scope,
    halted,
    reason,
    halted_by,
    halted_at,
    resume_requested_by,
    resume_reason,
    resumed_by,
    resumed_at,
    version,
    updated_position
FROM halts
ORDER BY scope
