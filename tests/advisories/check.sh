#!/bin/sh
# Checks what we depend on against the known advisories: crates by cargo-deny and RustSec's database, the packages of the generated clients
# by npm. What is not there is not waited for: one line says what was not checked, and that is no failure. What is found is one.
# Called by `make test`. CARGO_DENY and NPM name other programs, or none.
set -eu

cd "$(dirname "$0")/../.."
deny=${CARGO_DENY-$(command -v cargo-deny || true)}
npm=${NPM-$(command -v npm || true)}
stored="${CARGO_HOME:-$HOME/.cargo}/advisory-dbs"

unchecked() {
    echo "advisories: NOT CHECKED for $1: $2"
}

crates() {
    if [ -z "$deny" ]; then
        unchecked crates "cargo-deny is not installed (cargo install --locked cargo-deny)"
        return 0
    fi
    # These need nothing from elsewhere.
    "$deny" check bans licenses sources || return 1
    of="of now"
    if ! "$deny" fetch db; then
        if [ -z "$(ls "$stored" 2> /dev/null)" ]; then
            unchecked crates "RustSec's database can't be had, and none is stored in $stored"
            return 0
        fi
        of="as it was stored in $stored"
    fi
    "$deny" check --disable-fetch advisories || return 1
    echo "advisories: none for our crates in RustSec's database $of"
}

packages() {
    if [ -z "$npm" ]; then
        unchecked "packages of npm" "npm is not installed"
        return 0
    fi
    told=$("$npm" audit --prefix tests/clients --package-lock-only --json 2> /dev/null) && found=0 || found=$?
    case $told in
        *'"auditReportVersion"'*) ;;
        *)
            unchecked "packages of npm" "the registry does not tell of advisories"
            return 0
            ;;
    esac
    if [ "$found" -ne 0 ]; then
        echo "$told" >&2
        return 1
    fi
    echo "advisories: none for the packages of tests/clients"
}

failed=0
crates || failed=1
packages || failed=1
[ "$failed" -eq 0 ] || echo "advisories: there are some, or a licence or a source is not allowed: see above" >&2
exit "$failed"
