#!/usr/bin/env bash
# Installs the peers in a folder of their own and compares: bench/peers/run.sh all | append ... | replay ... | table | fix ...
set -euo pipefail
cd "$(dirname "$0")/../.."

peers=${CARGO_TARGET_DIR:-$PWD/target}/peers
export CARGO_TARGET_DIR=$peers/build

# Other FIX engines: hotfix is a crate that the comparison is built with, QuickFIX a Python wheel.
fix() {
    local python=$peers/quickfix/bin/python
    [ -x "$python" ] || python3 -m venv "$peers/quickfix"
    "$python" -m pip install --quiet --disable-pip-version-check -r bench/peers/fix/requirements.txt
    cargo build --quiet --release --manifest-path bench/peers/fix/Cargo.toml
    "$CARGO_TARGET_DIR/release/fix-peers" --python "$python" --folder "$peers" "$@"
}
if [ "${1:-all}" = fix ]; then
    fix "${@:2}"
    exit
fi

# Does nothing when that version is there already.
for crate in umadb@0.7.8 sierradb-server@0.3.1; do
    cargo install --quiet --locked --root "$peers" "$crate"
done
# Not --locked: what our own crates depend on changes with them; the peers are pinned by the manifest.
cargo build --quiet --release --manifest-path bench/peers/Cargo.toml

case ${1:-all} in
paced) exec "$CARGO_TARGET_DIR/release/peers" paced "${@:2}" ;;
table) exec "$CARGO_TARGET_DIR/release/peers" table --results "$peers/results.jsonl" "${@:2}" ;;
*) "$CARGO_TARGET_DIR/release/peers" "${1:-all}" --programs "$peers/bin" --folder "$peers" --results "$peers/results.jsonl" "${@:2}" ;;
esac
if [ "${1:-all}" = all ]; then
    fix
fi
