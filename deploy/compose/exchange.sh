#!/bin/sh
# The simulated exchange trades on the day of the book that is there, which need not be today.
set -eu

contracts="$SQUAREOFF_DATA/book/contracts.csv"
trade_date=$(sed -n '2s/,.*//p' "$contracts")
# Replaces the shell, so that a stop signal reaches the exchange.
exec squareoff-exchange --contracts "$contracts" --trade-date "$trade_date" "$@"
