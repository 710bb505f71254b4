INSERT INTO halts (
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
)
SELECT
    UNNEST($1::text[]),
    UNNEST($2::bool[]),
    UNNEST($3::text[]),
    UNNEST($4::text[]),
    UNNEST($5::timestamptz[]),
    UNNEST($6::text[]),
    UNNEST($7::text[]),
    UNNEST($8::text[]),
    UNNEST($9::timestamptz[]),
    UNNEST($10::bigint[]),
    UNNEST($11::bigint[])
ON CONFLICT ON CONSTRAINT halts_pkey DO UPDATE SET
    halted = excluded.halted,
    reason = excluded.reason,
    halted_by = excluded.halted_by,
    halted_at = excluded.halted_at,
    resume_requested_by = excluded.resume_requested_by,
    resume_reason = excluded.resume_reason,
    resumed_by = excluded.resumed_by,
    resumed_at = excluded.resumed_at,
    version = excluded.version,
    updated_position = excluded.updated_position
WHERE halts.version < excluded.version
