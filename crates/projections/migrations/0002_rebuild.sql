-- How far the rebuild is that makes these tables, so that one that was killed goes on where it was; no row in the live ones.

CREATE TABLE rebuild (
    only_row bool NOT NULL DEFAULT true CONSTRAINT rebuild_pkey PRIMARY KEY CONSTRAINT rebuild_only_row CHECK (only_row),
    -- Fingerprint of the code that folds: what another release began is not gone on with.
    made_by text NOT NULL,
    -- Log position at which the filling ends; the checkpoint says how far it is.
    target bigint NOT NULL,
    stage text NOT NULL CONSTRAINT rebuild_stage CHECK (stage IN ('folding', 'indexing', 'whole')),
    began_at timestamptz NOT NULL DEFAULT now()
);

-- What is still to be done to the filled tables, in this order for each of them.
CREATE TABLE rebuild_steps (
    number integer NOT NULL CONSTRAINT rebuild_steps_pkey PRIMARY KEY,
    table_name text NOT NULL,
    statement text NOT NULL
);
