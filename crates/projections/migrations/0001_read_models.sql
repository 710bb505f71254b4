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
    closable_quantity bigint NOT NULL,
    version bigint NOT NULL,
    updated_position bigint NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX positions_by_client ON positions (trading_date, client_code);

CREATE TABLE orders (
    order_id uuid NOT NULL CONSTRAINT orders_pkey PRIMARY KEY,
    cl_ord_id text NOT NULL,
    stream text NOT NULL,
    client_code text NOT NULL,
    venue text NOT NULL,
    symbol text NOT NULL,
    product text NOT NULL,
    side text NOT NULL,
    quantity bigint NOT NULL,
    price bigint NOT NULL,
    time_in_force text NOT NULL,
    slice integer NOT NULL,
    slices integer NOT NULL,
    request_id uuid NOT NULL,
    exchange_order_id text,
    cumulative_quantity bigint NOT NULL,
    leaves_quantity bigint NOT NULL,
    average_price bigint,
    status text NOT NULL,
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
CREATE INDEX orders_by_cl_ord_id ON orders (cl_ord_id);

-- One row per execution event: its place in the log is its identity, so a venue that gives one ExecID twice is seen, not hidden.
CREATE TABLE trades (
    position bigint NOT NULL CONSTRAINT trades_pkey PRIMARY KEY,
    execution_key text NOT NULL,
    order_id uuid NOT NULL,
    stream text NOT NULL,
    client_code text NOT NULL,
    venue text NOT NULL,
    symbol text NOT NULL,
    product text NOT NULL,
    side text NOT NULL,
    quantity bigint NOT NULL,
    price bigint NOT NULL,
    exchange_order_id text NOT NULL,
    executed_at timestamptz NOT NULL,
    late bool NOT NULL
);

CREATE INDEX trades_by_client ON trades (client_code, position);
CREATE INDEX trades_by_order ON trades (order_id);
