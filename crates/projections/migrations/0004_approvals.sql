-- Orders above the value that one person may place: who asked, and who answered what.
CREATE TABLE approvals (
    -- Place in the log of what was asked.
    position bigint NOT NULL CONSTRAINT approvals_pkey PRIMARY KEY,
    approval_id uuid NOT NULL,
    stream text NOT NULL,
    request_id uuid NOT NULL,
    -- 'waiting', 'approved', 'ordered', 'not-ordered', 'refused', 'withdrawn' or 'lapsed'.
    state text NOT NULL,
    -- 'square-off' or 'modify'.
    what text NOT NULL,
    position_stream text NOT NULL,
    trading_date date NOT NULL,
    client_code text NOT NULL,
    venue text NOT NULL,
    symbol text NOT NULL,
    product text NOT NULL,
    -- The order that is to be changed.
    order_id uuid,
    quantity bigint NOT NULL,
    -- Null where the market makes the price.
    limit_price bigint,
    counted_price bigint NOT NULL,
    time_in_force text,
    evidence text,
    notional bigint NOT NULL,
    limit_notional bigint NOT NULL,
    epoch bigint NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    answered_by text,
    answered_at timestamptz,
    reason text,
    -- The request that was accepted of the position.
    order_request_id uuid,
    -- Why the position refused.
    refusal_code text,
    refusal_detail text,
    version bigint NOT NULL,
    updated_position bigint NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX approvals_by_id ON approvals (approval_id);
CREATE INDEX approvals_waiting ON approvals (position) WHERE state = 'waiting';
CREATE INDEX approvals_by_client ON approvals (client_code, position);
