-- In the schema that the connection is in: what the parts' roles may do to its tables, and no more, where there are such roles.
DO $grant$
DECLARE
    ours text := current_schema();
    role_name text;
    found record;
BEGIN
    -- Two processes that grant at once would change the same rows of the catalog: LOCK_CLASS, LOCK_RIGHTS.
    PERFORM pg_advisory_xact_lock(21329, 5);
    FOR role_name IN
        SELECT rolname FROM pg_roles WHERE rolname IN ('squareoff_api', 'squareoff_projections') AND NOT rolsuper
    LOOP
        IF NOT has_schema_privilege(role_name, ours, 'USAGE') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', ours, role_name);
        END IF;
        IF has_schema_privilege(role_name, ours, 'CREATE') THEN
            EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM %I', ours, role_name);
        END IF;
        FOR found IN
            SELECT
                oid::regclass AS name,
                CASE
                    -- How far a rebuild is, is its own business.
                    WHEN relname IN ('rebuild', 'rebuild_steps') THEN ARRAY[]::text[]
                    -- The projections look whether the tables are as their release knows them.
                    WHEN relname = '_sqlx_migrations' AND role_name = 'squareoff_api' THEN ARRAY[]::text[]
                    WHEN relname = '_sqlx_migrations' OR role_name = 'squareoff_api' THEN ARRAY['SELECT']
                    ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']
                END AS may,
                ARRAY(
                    SELECT right_name
                    FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS right_name
                    WHERE has_table_privilege(role_name, pg_class.oid, right_name)
                ) AS has
            FROM pg_class
            WHERE relnamespace = ours::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
        LOOP
            -- What stands already is left alone: most starts change nothing here.
            IF NOT (found.may <@ found.has AND found.has <@ found.may) THEN
                EXECUTE format('REVOKE ALL ON TABLE %s FROM %I', found.name, role_name);
                IF cardinality(found.may) > 0 THEN
                    EXECUTE format('GRANT %s ON TABLE %s TO %I', array_to_string(found.may, ', '), found.name, role_name);
                END IF;
            END IF;
        END LOOP;
    END LOOP;
END
$grant$;
