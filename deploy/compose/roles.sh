#!/bin/sh
# Makes the roles of deploy/postgres-roles.sql in the compose network's Postgres, with their passwords; run again, it sets these anew. psql
# takes server, owner and database from PGHOST, PGUSER, PGPASSWORD and PGDATABASE.
set -eu

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --single-transaction --file="${1:-/postgres-roles.sql}"
# Neither a list of processes nor the server's log has the passwords.
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 <<'SQL'
\getenv api API_PASSWORD
\getenv projections PROJECTIONS_PASSWORD
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
ALTER ROLE squareoff_api PASSWORD :'api';
ALTER ROLE squareoff_projections PASSWORD :'projections';
SQL
