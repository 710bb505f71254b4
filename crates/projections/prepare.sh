#!/bin/sh
# Asks a throw-away PostgreSQL what each checked query takes and gives, and writes it to .sqlx, which builds use instead.
# Run it after a query or a migration has changed, and commit what it wrote. Needs the server's programs; as root also the user
# postgres.
set -eu
cd "$(dirname "$0")"

bin="${SQUAREOFF_PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)}"
work=$(mktemp -d /tmp/squareoff-prepare.XXXXXX)
as_server=""
if [ "$(id -u)" = 0 ]; then
    chown postgres "$work"
    as_server="setpriv --reuid=postgres --regid=postgres --clear-groups --"
fi
server=""
clean() {
    [ -z "$server" ] || { kill -INT "$server" && wait "$server" || true; }
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM

(cd / && $as_server "$bin/initdb" --pgdata="$work/cluster" --auth=trust --username=squareoff --encoding=UTF8 --locale=C --no-sync >"$work/initdb.log")
cd /
$as_server "$bin/postgres" -D "$work/cluster" -c listen_addresses= -c "unix_socket_directories=$work" -c fsync=off >"$work/server.log" 2>&1 &
server=$!
cd - >/dev/null
tries=0
until "$bin/pg_isready" --quiet --host="$work"; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || { cat "$work/server.log"; exit 1; }
    sleep 0.1
done

psql() { "$bin/psql" --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --host="$work" --username=squareoff "$@"; }
psql --dbname=postgres --command="CREATE DATABASE read" --command="ALTER DATABASE read SET search_path = read_live"
psql --dbname=read --command="CREATE SCHEMA read_live"
for migration in migrations/*.sql; do psql --dbname=read --file="$migration"; done

mkdir "$work/found"
# The macros run only when the crate is compiled: its fingerprint must be stale.
touch src/lib.rs
DATABASE_URL="postgresql:///read?host=$work&user=squareoff" SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$work/found" \
    cargo check --package squareoff-projections --all-features
rm -rf .sqlx
mkdir .sqlx
mv "$work/found"/* .sqlx/
ls .sqlx | wc -l
# Leaves the crate built the usual way, and fails here rather than elsewhere if something is missing.
touch src/lib.rs
env -u DATABASE_URL -u SQLX_OFFLINE_DIR cargo check --package squareoff-projections --all-features
