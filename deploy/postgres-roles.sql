-- The roles of Squareoff's parts in Postgres, each with the least that its part needs:
--
--   squareoff_api           what people ask: reads the read models, and nothing else
--   squareoff_projections   writes the rows of the read models, and can't alter their tables
--
-- The tables stay their owner's: whoever runs `squareoff database prepare` and `squareoff rebuild`. On a cluster of your own:
--
--   createuser squareoff && createdb --owner=squareoff squareoff
--   psql --dbname=squareoff --single-transaction --set=ON_ERROR_STOP=1 --file=deploy/postgres-roles.sql     # as a superuser
--   psql --dbname=squareoff                                                                                 # as a superuser
--   => \password squareoff
--   => \password squareoff_api
--   => \password squareoff_projections
--   DATABASE_URL=<as squareoff> squareoff database prepare
--
-- Then the API is started with a DATABASE_URL of squareoff_api, the projections with one of squareoff_projections. \password asks and sends
-- only the hash, so no password is in a file, a process list or the server's log. Without one nobody logs in over the network.
--
-- What a role may do to which table stands in crates/projections/src/rights/grant.sql, and is granted with every migration and rebuild.
-- Run again, this file changes nothing. `squareoff up` runs it in the Postgres that it starts.

DO $roles$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['squareoff_api', 'squareoff_projections'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', role_name);
        END IF;
        -- One that may more than was granted here would make every refusal below void.
        IF EXISTS (
            SELECT
            FROM pg_roles
            WHERE rolname = role_name AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)
        ) OR EXISTS (
            SELECT FROM pg_auth_members WHERE member = (SELECT oid FROM pg_roles WHERE rolname = role_name)
        ) THEN
            RAISE EXCEPTION 'role % has attributes or memberships beyond those of its part: take them back first', role_name;
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
    END LOOP;
    -- No part needs tables of its own for the time of a session.
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    -- Granted to everybody by servers before 15.
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
END
$roles$;
