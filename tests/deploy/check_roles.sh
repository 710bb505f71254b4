#!/bin/sh
# Runs deploy/compose/roles.sh against a throw-away PostgreSQL that asks for passwords: each part logs in with its own, and no log has one.
# Called by check.sh. Needs the server's programs; as root also the user postgres.
set -eu
cd "$(dirname "$0")/../.."

bin="${SQUAREOFF_PG_BIN:-$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)}"
work=$(mktemp -d /tmp/squareoff-roles.XXXXXX)
as_server=""
if [ "$(id -u)" = 0 ]; then
    as_server="setpriv --reuid=postgres --regid=postgres --clear-groups --"
fi
server=""
clean() {
    [ -z "$server" ] || { kill -INT "$server" && wait "$server" || true; }
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM
fail() {
    echo "roles: $1" >&2
    exit 1
}

echo owner-secret >"$work/password"
[ "$(id -u)" != 0 ] || chown -R postgres "$work"
here=$PWD
cd /
$as_server "$bin/initdb" --pgdata="$work/cluster" --auth=scram-sha-256 --username=squareoff --pwfile="$work/password" --no-sync >"$work/initdb.log"
$as_server "$bin/postgres" -D "$work/cluster" -c listen_addresses= -c "unix_socket_directories=$work" -c fsync=off -c log_statement=all \
    >"$work/server.log" 2>&1 &
server=$!
cd "$here"
export PGHOST="$work" PGUSER=squareoff PGPASSWORD=owner-secret PGDATABASE=squareoff
tries=0
until "$bin/pg_isready" --quiet --dbname=postgres; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || { cat "$work/server.log" >&2; fail "the server did not start"; }
    sleep 0.1
done
"$bin/createdb" squareoff

# With what a shell, psql or SQL would take for something else.
api="api'; \\q \$(id) \""
for projections in before 'after "x"'; do
    API_PASSWORD=$api PROJECTIONS_PASSWORD=$projections PATH="$bin:$PATH" deploy/compose/roles.sh deploy/postgres-roles.sql
done
log_in() {
    PGUSER=$1 PGPASSWORD=$2 "$bin/psql" --no-psqlrc --quiet --tuples-only --command='select 1' >/dev/null 2>&1
}
log_in squareoff_api "$api" || fail "squareoff_api can not log in with its password"
log_in squareoff_projections 'after "x"' || fail "squareoff_projections can not log in with its second password"
! log_in squareoff_projections before || fail "squareoff_projections logs in with a password that was changed"
! log_in squareoff_api owner-secret || fail "squareoff_api logs in with the owner's password"
! grep -qi -e 'alter role' -e 'after "x"' "$work/server.log" || fail "the server's log has a password"
