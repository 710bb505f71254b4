#!/bin/sh
# Checks the deployment files with the real tools, no container engine needed: Dockerfile, docker-compose.yml, shell scripts, nginx, the
# roles in Postgres. Called by `make test`. Needs PostgreSQL's programs, python3 with its venv module and PyPI; the tools are kept under target/ while their versions stay.
set -eu

cd "$(dirname "$0")/../.."
requirements=tests/deploy/requirements.txt
tools="$PWD/target/deploy-tools"
bin="$tools/bin"

fail() {
    echo "deployment files: $1" >&2
    exit 1
}

if ! cmp -s "$requirements" "$tools/requirements.txt"; then
    python3 -m venv --clear "$tools" || fail "python3 with its venv module is needed (on Debian: apt-get install python3-venv)"
    "$bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" \
        || fail "the tools could not be installed"
    # Last, so that a half-done installation is done again.
    cp "$requirements" "$tools/requirements.txt"
fi

# What stands in the environment or in a file .env must not decide what is checked.
unset POSTGRES_PASSWORD POSTGRES_API_PASSWORD POSTGRES_PROJECTIONS_PASSWORD SQUAREOFF_TRADING_DATE
compose() {
    "$bin/docker-compose" --env-file /dev/null --file docker-compose.yml "$@"
}

compose config --quiet || fail "docker-compose.yml is not valid"
compose --profile kurrentdb config --quiet || fail "docker-compose.yml is not valid with the profile kurrentdb"
compose --profile kurrentdb config --format json | "$bin/python" tests/deploy/check_compose.py \
    || fail "docker-compose.yml does not keep our rules"
"$bin/hadolint" --failure-threshold style Dockerfile || fail "the Dockerfile has faults"
"$bin/shellcheck" deploy/compose/*.sh tests/advisories/*.sh tests/clients/*.sh tests/deploy/*.sh || fail "a shell script has faults"
# Says what is wrong on standard output, and ends well all the same.
"$bin/crossplane" parse --strict deploy/compose/nginx.conf | "$bin/python" -c '
import json, sys
errors = json.load(sys.stdin)["errors"]
sys.exit("\n".join(error["error"] for error in errors) if errors else 0)
' || fail "nginx.conf has faults"
tests/deploy/check_roles.sh || fail "deploy/compose/roles.sh does not do what it says"
echo "deployment files: Dockerfile, docker-compose.yml, shell scripts and nginx.conf are good"
