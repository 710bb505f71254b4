-- The read models. Names carry no schema: the same migration makes `read_live` and, for a rebuild, `read_next`.
-- Money is in 1/10,000 rupee, quantities in units. Columns that change are in no index, so that updates stay in their page (HOT);
-- the free 30 % of each page is for them.

CREATE TABLE checkpoint (
    only_row bool NOT NULL DEFAULT true CONSTRAINT checkpoint_pkey PRIMARY KEY CONSTRAINT checkpoint_only_row CHECK (only_row),
    position bigint NOT NULL,
    -- Id of the first event of the log that the tables are of; null until it has one.
    log_id uuid
) WITH (fillfactor = 10);

INSERT INTO checkpoint (position) VALUES (0);

CREATE TABLE clients (
    client_code text NOT NULL CONSTRAINT clients_pkey PRIMARY KEY,
    category text NOT NULL,
    branch text NOT NULL,
    segments text[] NOT NULL,
    version bigint NOT NULL,
    updated_position bigint NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE positions (
    stream text NOT NULL CONSTRAINT positions_pkey PRIMARY KEY,
    trading_date date NOT NULL,
    client_code text NOT NULL,
    venue text NOT NULL,
    symbol text NOT NULL,
    product text NOT NULL,
    bod_quantity bigint NOT NULL,
    bod_average_price bigint NOT NULL,
    net_quantity bigint NOT NULL,
    working_quantity bigint NOT NULL,
    external_working_quantity bigint NOT NULL,
    closable_quantity bigint NOT NULL,
    -- Orders that may still fill.
    working_orders integer NOT NULL,
    external_working_orders integer NOT NULL,
    -- Of the open quantity; null when flat.
    average_price bigint,
    -- Signed; what the open quantity is worth at a mark, less this, is the unrealized profit.
    open_cost bigint NOT NULL,
    realized_profit bigint NOT NULL,
    bought_quantity bigint NOT NULL,
    sold_quantity bigint NOT NULL,
    trades integer NOT NULL,
    unbooked_trades integer NOT NULL,
    contradicted_trades integer NOT NULL,
    contradictions integer NOT NULL,
    frozen_reason text,
    handed_back_epoch bigint,
    version bigint NOT NULL,
    updated_position bigint NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX positions_by_client ON positions (trading_date, client_code);

CREATE TABLE orders (
    order_id uuid NOT NULL CONSTRAINT orders_pkey PRIMARY KEY,
    cl_ord_id text NOT NULL,
    -- What the venue knows the order by since its last accepted replace.
    current_cl_ord_id text NOT NULL,
    -- 'ours' or 'external': placed on the primary before the outage.
    origin text NOT NULL,
    stream text NOT NULL,
    trading_date date NOT NULL,
    client_code text NOT NULL,
    venue text NOT NULL,
    symbol text NOT NULL,
    product text NOT NULL,
    side text NOT NULL,
    -- As they stand, and as the order was placed.
    quantity bigint NOT NULL,
    price bigint NOT NULL,
    placed_quantity bigint NOT NULL,
    placed_price bigint NOT NULL,
    replaces integer NOT NULL,
    time_in_force text NOT NULL,
    slice integer NOT NULL,
    slices integer NOT NULL,
    -- Null for an external order.
    request_id uuid,
    exchange_order_id text,
    cumulative_quantity bigint NOT NULL,
    leaves_quantity bigint NOT NULL,
    average_price bigint,
    status text NOT NULL,
    -- It may still fill. Changes once or hardly ever, so an index on it costs little.
    working bool NOT NULL,
    late_fills integer NOT NULL,
    reject_code bigint,
    reject_text text,
    placed_at timestamptz NOT NULL,
    placed_position bigint NOT NULL,
    version bigint NOT NULL,
    updated_position bigint NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX orders_by_placed_position ON orders (placed_position);
CREATE INDEX orders_by_client ON orders (client_code, placed_position);
CREATE INDEX orders_working ON orders (placed_position) WHERE working;

-- One row per execution as it stands: its first event's place in the log is its identity, so a venue that gives one ExecID to two
-- positions is seen, not hidden. A trade that only the drop copy told of is a row too, 'unbooked' until its execution comes.
CREATE TABLE trades (
    position bigint NOT NULL CONSTRAINT trades_pkey PRIMARY KEY,
    execution_key text NOT NULL,
    -- 'ours', 'external', 'primary' or 'drop-copy'.
    origin text NOT NULL,
    order_id uuid,
    stream text NOT NULL,
    trading_date date NOT NULL,
    client_code text NOT NULL,
    venue text NOT NULL,
    symbol text NOT NULL,
    product text NOT NULL,
    side text NOT NULL,
    -- As it stands, and as it was first told.
    quantity bigint NOT NULL,
    price bigint NOT NULL,
    told_quantity bigint NOT NULL,
    told_price bigint NOT NULL,
    -- What it counts: nothing when busted or unbooked.
    live_quantity bigint NOT NULL,
    status text NOT NULL,
    -- The drop copy says otherwise, or alone says so. Hardly ever true, so an index on it costs little.
    is_break bool NOT NULL,
    drop_copy_side text,
    drop_copy_quantity bigint,
    drop_copy_price bigint,
    exchange_order_id text,
    executed_at timestamptz NOT NULL,
    -- When the first event was recorded and who told, if it booked the trade; null when the drop copy was first.
    told_at timestamptz,
    told_by text,
    late bool NOT NULL,
    version bigint NOT NULL,
    updated_position bigint NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX trades_by_client ON trades (client_code, position);
-- Only ever asked for whole keys. Those of an order are found among its client's.
CREATE INDEX trades_by_execution ON trades USING hash (execution_key);
CREATE INDEX trades_breaks ON trades (position) WHERE is_break;
