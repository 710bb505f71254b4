#!/usr/bin/env bash
# The load tests of the API on one node, each with a generator of its own over loopback and bounded in count and time; a line of JSON each:
#   live      10,000 live connections at 1,000 events a second: from the event in the log to the bytes written
#   shed      ten times what a node takes: what is taken, what is told 429 or 503, and whether anything acknowledged is missing
#   requests  authenticated square-offs, 5,000 a second: how many are durably accepted, and how long each waits
#   queries   what is asked most of 1,000,000 orders, 200 a second
# Arguments: which of them (all four by default). What they measure and found is in bench/README.md.
set -euo pipefail
bench=${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}/release/squareoff-bench
[ -x "$bench" ] || { echo "first: cargo build --release --locked --workspace --bins" >&2; exit 1; }
[ $# -gt 0 ] || set -- live shed requests queries
for load in "$@"; do
  "$bench" "$load"
done
