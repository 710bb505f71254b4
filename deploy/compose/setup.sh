#!/bin/sh
# Before the roles start: a book, its import, the first activation. Safe to run again, as each `docker compose up` does: a book that is
# there is kept, and a platform that a person stood down stays so.
set -eu

book="$SQUAREOFF_DATA/book"
if [ ! -d "$book" ]; then
    squareoff book sample --out "$book"
fi
squareoff book import "$book"
# Epoch 0: it was never active.
if squareoff platform status | grep --quiet '"epoch":0[,}]'; then
    squareoff platform activate --reason "set up by docker compose"
fi
