INSERT INTO cancel_alls (
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
)
SELECT
    UNNEST($1::uuid[]),
    UNNEST($2::text[]),
    UNNEST($3::text[]),
    UNNEST($4::text[]),
    UNNEST($5::text[]),
    UNNEST($6::timestamptz[]),
    UNNEST($7::bigint[]),
    UNNEST($8::text[]),
    UNNEST($9::timestamptz[]),
    UNNEST($10::bigint[]),
    UNNEST($11::bigint[])
ON CONFLICT ON CONSTRAINT cancel_alls_pkey DO UPDATE SET
    scope = excluded.scope,
    state = excluded.state,
    reason = excluded.reason,
    requested_by = excluded.requested_by,
    requested_at = excluded.requested_at,
    requested_position = excluded.requested_position,
    decided_by = excluded.decided_by,
    decided_at = excluded.decided_at,
    version = excluded.version,
    updated_position = excluded.updated_position
WHERE cancel_alls.version < excluded.version
