#!/usr/bin/env bash
# Installs what the build and the platform need and this machine lacks; says in one sentence what it cannot.
# usage: deploy/setup.sh run|test|peers
set -euo pipefail

say() { printf '· %s\n' "$*"; }
fail() {
    printf 'squareoff: %s\n' "$*" >&2
    exit 1
}

has_postgres() {
    [ -n "${DATABASE_URL:-}" ] && [ "$1" = run ] && return 0
    [ -n "${SQUAREOFF_PG_BIN:-}" ] && [ -x "$SQUAREOFF_PG_BIN/initdb" ] && return 0
    command -v initdb >/dev/null && return 0
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

# Debian's package installs a cluster of its own and starts it on port 5432; told not to, it brings the programs alone.
install_packages() {
    command -v apt-get >/dev/null ||
        fail "missing: $* — install them with this system's package manager, then start again"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "missing: $* — install them as root (apt-get install $*), then start again"
        as_root=(sudo)
    fi
    say "installing $*"
    "${as_root[@]}" mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        printf 'create_main_cluster = false\n' | "${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
    {
        "${as_root[@]}" apt-get update -qq &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold "$@"
    } >/dev/null || fail "could not install $* — see the package manager's message above"
}

purpose=${1:?usage: deploy/setup.sh run|test|peers}
missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
has_postgres "$purpose" || missing+=(postgresql)
if [ "$purpose" = test ] || [ "$purpose" = peers ]; then
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
fi
# UmaDB's build asks for the protocol buffers' compiler.
if [ "$purpose" = peers ]; then
    command -v protoc >/dev/null || missing+=(protobuf-compiler)
fi
command -v cargo >/dev/null || fail "cargo is missing: install a Rust toolchain of 1.95 or newer, then start again"
[ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"

if [ "$purpose" = test ]; then
    command -v cargo-nextest >/dev/null || {
        say "installing cargo-nextest"
        cargo install --locked --quiet cargo-nextest || fail "cargo-nextest could not be installed"
    }
fi
