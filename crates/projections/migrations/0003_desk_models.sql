-- What the desk and the auditor look at beside positions, orders and trades. Names carry no schema, as in 0001. Every table whose rows
-- change has an `updated_position`: a rebuild keeps the newest of each row by it.

-- The day's contract files.
CREATE TABLE contracts (
    trading_date date NOT NULL,
    venue text NOT NULL,
    symbol text NOT NULL,
    segment text NOT NULL,
    kind text NOT NULL,
    expiry date,
    strike bigint,
    option_type text,
    lot bigint NOT NULL,
    tick bigint NOT NULL,
    freeze_quantity bigint NOT NULL,
    band_low bigint NOT NULL,
    band_high bigint NOT NULL,
    reference_price bigint NOT NULL,
    reference_at timestamptz NOT NULL,
    price_protection bigint NOT NULL,
    protection_low bigint,
    protection_high bigint,
    restriction text,
    -- Version of the file.
    reference_version text NOT NULL,
    version bigint NOT NULL,
    updated_position bigint NOT NULL,
    CONSTRAINT contracts_pkey PRIMARY KEY (trading_date, venue, symbol)
);

-- The platform as it is: one row.
CREATE TABLE platform (
    stream text NOT NULL CONSTRAINT platform_pkey PRIMARY KEY,
    phase text NOT NULL,
    phase_since timestamptz NOT NULL,
    -- The actor of the event that brought it there.
    phase_by text NOT NULL,
    epoch bigint NOT NULL,
    -- Of the activation that is or was in force last.
    trading_date date,
    -- The activation that was asked for and is not in force yet.
    asked_date date,
    asked_reason text,
    asked_outage_began_at timestamptz,
    asked_by text,
    asked_approved_by text,
    handback_requested_by text,
    version bigint NOT NULL,
    updated_position bigint NOT NULL,
    updated_at timestamptz NOT NULL
);

-- Kill switches, those that were taken back too.
CREATE TABLE halts (
    scope text NOT NULL CONSTRAINT halts_pkey PRIMARY KEY,
    halted bool NOT NULL,
    reason text NOT NULL,
    halted_by text NOT NULL,
    halted_at timestamptz NOT NULL,
    -- A person who asked to take it back, until another approved or it was rejected.
    resume_requested_by text,
    resume_reason text,
    resumed_by text,
    resumed_at timestamptz,
    version bigint NOT NULL,
    updated_position bigint NOT NULL
);

-- Orders to cancel everything in a scope.
CREATE TABLE cancel_alls (
    kill_id uuid NOT NULL CONSTRAINT cancel_alls_pkey PRIMARY KEY,
    scope text NOT NULL,
    -- 'requested', 'ordered', 'rejected' or 'lapsed' with the activation.
    state text NOT NULL,
    reason text NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    requested_position bigint NOT NULL,
    decided_by text,
    decided_at timestamptz,
    version bigint NOT NULL,
    updated_position bigint NOT NULL
);

CREATE TABLE market_phases (
    venue text NOT NULL,
    segment text NOT NULL,
    trading_date date NOT NULL,
    phase text NOT NULL,
    source text NOT NULL,
    since timestamptz NOT NULL,
    version bigint NOT NULL,
    updated_position bigint NOT NULL,
    CONSTRAINT market_phases_pkey PRIMARY KEY (venue, segment)
);

-- One row per activation that was asked for: the exact start and end of an incident.
CREATE TABLE incidents (
    -- Place in the log of the request, or of an activation without one.
    began_position bigint NOT NULL CONSTRAINT incidents_pkey PRIMARY KEY,
    trading_date date NOT NULL,
    reason text NOT NULL,
    outage_began_at timestamptz,
    requested_at timestamptz,
    requested_by text,
    approved_at timestamptz,
    approved_by text,
    epoch bigint,
    activated_at timestamptz,
    activated_by text,
    handback_requested_at timestamptz,
    handback_requested_by text,
    handback_approved_at timestamptz,
    handback_approved_by text,
    -- 'handed-back', 'stood-down' or 'rejected'.
    ended text,
    ended_at timestamptz,
    ended_by text,
    ended_position bigint,
    handed_back_positions bigint,
    handed_back_orders bigint,
    handed_back_executions bigint,
    handed_back_net_digest text,
    version bigint NOT NULL,
    updated_position bigint NOT NULL
);

CREATE INDEX incidents_by_date ON incidents (trading_date);

CREATE TABLE bulks (
    bulk_id uuid NOT NULL CONSTRAINT bulks_pkey PRIMARY KEY,
    proposed_position bigint NOT NULL,
    trading_date date NOT NULL,
    status text NOT NULL,
    phase text,
    filter_client text,
    filter_venue text,
    filter_symbol text,
    filter_product text,
    filter_segment text,
    filter_expiry date,
    price text NOT NULL,
    time_in_force text NOT NULL,
    cancel_external bool NOT NULL,
    reason text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    approved_by text,
    approved_at timestamptz,
    paused_by text,
    paused_reason text,
    -- Rejected, aborted or completed.
    ended_by text,
    ended_reason text,
    ended_at timestamptz,
    -- Log position that the items were chosen at.
    as_of bigint NOT NULL,
    items bigint NOT NULL,
    orders_to_cancel bigint NOT NULL,
    slices bigint NOT NULL,
    notional bigint NOT NULL,
    messages bigint NOT NULL,
    estimated_seconds bigint NOT NULL,
    message_rate_per_s bigint NOT NULL,
    listed bigint NOT NULL,
    cancelled bigint NOT NULL,
    closed bigint NOT NULL,
    nothing_to_do bigint NOT NULL,
    refused bigint NOT NULL,
    failed bigint NOT NULL,
    skipped bigint NOT NULL,
    closed_quantity bigint NOT NULL,
    -- Time spent running, without pauses.
    worked_ms bigint NOT NULL,
    -- At the slower of the estimate's pace and the pace so far; null unless running.
    estimated_end_at timestamptz,
    version bigint NOT NULL,
    updated_position bigint NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE bulk_items (
    bulk_id uuid NOT NULL,
    item integer NOT NULL,
    stream text NOT NULL,
    client_code text NOT NULL,
    venue text NOT NULL,
    symbol text NOT NULL,
    product text NOT NULL,
    phase text NOT NULL,
    -- When it was listed.
    net_quantity bigint NOT NULL,
    notional bigint NOT NULL,
    working_orders bigint NOT NULL,
    cancelled bool NOT NULL,
    -- Null until it is settled; then 'closed', 'nothing-to-do', 'refused', 'failed' or 'skipped'.
    outcome text,
    -- Units closed, or units left of a failure.
    outcome_quantity bigint,
    -- Code of the refusal, or reason of the failure.
    outcome_reason text,
    settled_at timestamptz,
    version bigint NOT NULL,
    updated_position bigint NOT NULL,
    CONSTRAINT bulk_items_pkey PRIMARY KEY (bulk_id, item)
) WITH (fillfactor = 70);

-- Reports of the exchange that fit nothing.
CREATE TABLE suspense (
    position bigint NOT NULL CONSTRAINT suspense_pkey PRIMARY KEY,
    stream text NOT NULL,
    venue text NOT NULL,
    report_key text NOT NULL,
    reason text NOT NULL,
    message text NOT NULL,
    suspended_at timestamptz NOT NULL,
    execution_key text,
    account text,
    symbol text,
    side text,
    quantity bigint,
    price bigint,
    -- 'open', 'matched' or 'dismissed'.
    state text NOT NULL,
    matched_stream text,
    settled_by text,
    settled_reason text,
    settled_at timestamptz,
    -- The position that the primary named last against what was settled.
    contradicted_stream text,
    version bigint NOT NULL,
    updated_position bigint NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX suspense_open ON suspense (position) WHERE state = 'open';

-- Who did what. Only ever added to. Facts of exchange and gateway are most of it, so what the rows and their keys cost is what
-- projecting costs: no key on what only facts have many values of, and no row of what every order and line of the book has alike.
CREATE TABLE audit (
    position bigint NOT NULL CONSTRAINT audit_pkey PRIMARY KEY,
    -- 'ask', 'fact' or 'refusal'.
    kind text NOT NULL,
    event_type text NOT NULL,
    -- It belongs to the story of an incident.
    timeline bool NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL,
    stream text NOT NULL,
    client_code text,
    order_id uuid,
    -- The request that the event answers; null for facts, whose ids nobody asked under.
    request_id uuid,
    correlation_id uuid,
    -- An execution's report: what it said.
    execution_key text,
    side text,
    quantity bigint,
    price bigint,
    summary text NOT NULL
);

CREATE INDEX audit_by_client ON audit (client_code, position);
CREATE INDEX audit_by_actor ON audit (actor, position) WHERE kind <> 'fact';
CREATE INDEX audit_by_request ON audit (request_id) WHERE kind <> 'fact';
CREATE INDEX audit_timeline ON audit (position) WHERE timeline;
CREATE INDEX audit_by_time ON audit USING brin (recorded_at) WITH (pages_per_range = 16);
