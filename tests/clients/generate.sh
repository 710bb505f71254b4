#!/usr/bin/env bash
# Generates the Python and the TypeScript client of docs/openapi.json into a folder, and checks the types of what uses them.
# The generators are installed there once for each set of versions.
# usage: tests/clients/generate.sh FOLDER
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
document=$here/../../docs/openapi.json
folder=${1:?usage: tests/clients/generate.sh FOLDER}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
exec 9> "$folder/lock"
flock 9

wanted=$(cat "$here/requirements.txt" "$here/package-lock.json" | sha256sum)
if [ "$(cat "$folder/installed" 2> /dev/null)" != "$wanted" ]; then
    python3 -m venv --clear "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/requirements.txt"
    cp "$here/package.json" "$here/package-lock.json" "$folder"
    # What a package would run when it is installed is not needed here.
    (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --silent)
    printf '%s\n' "$wanted" > "$folder/installed"
fi

made=$(cat "$document" "$here"/*.py "$here"/*.ts "$here"/tsconfig.json "$folder/installed" | sha256sum)
[ "$(cat "$folder/made" 2> /dev/null)" = "$made" ] && exit 0

PATH=$folder/venv/bin:$PATH
cd "$folder"
printf 'package_name_override: squareoff_client\n' > generator.yaml
openapi-python-client generate --path "$document" --output-path squareoff_client --meta none --overwrite --config generator.yaml
# The generator's own code is not as strict as ours; its types are what ours is checked against.
MYPYPATH=$folder mypy --strict --follow-imports=silent "$here"/*.py
npx --no-install openapi-typescript "$document" --output schema.d.ts
cp "$here/tour.ts" "$here/tsconfig.json" .
npx --no-install tsc --project .
printf '%s\n' "$made" > made
