#!/usr/bin/env bash
# Fuzzes a real server by its own /openapi.json: no 5xx, no status, header or shape that is not documented.
#   scripts/schemathesis.sh           about 2,000 requests, 1,000 of feeds as a server, and 500 of the admin listener
#   scripts/schemathesis.sh 100000    about so many, half, and a quarter of that; SEED=n asks others than the usual ones
set -euo pipefail
cd "$(dirname "$0")/.."
requests="${1:-2000}"
here=tests/schemathesis
work="${CARGO_TARGET_DIR:-target}/schemathesis"
mkdir -p "$work"

if ! cmp -s "$here/requirements.txt" "$work/installed.txt"; then
  rm -rf "$work/venv"
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$work/installed.txt"
fi

# A key of the application's server, for the calls that it alone may make.
key=schemathesis
(umask 077; printf 'schemathesis %s\n' "$(printf %s "$key" | sha256sum | cut -d ' ' -f 1)" > "$work/servers"; printf 'headers = { Authorization = "Bearer %s" }\n\n' "$key" > "$work/feeds.toml")
cat "$here/feeds.toml" >> "$work/feeds.toml"
rm -rf "$work/data"
scripts/build.sh debug
"${CARGO_TARGET_DIR:-target}/debug/turnout" serve --server-keys-file "$work/servers" --data "$work/data" --flags "$here/flags" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 2>"$work/server.log" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
for _ in $(seq 300); do
  [ -f "$work/data/addresses.json" ] && break
  kill -0 "$server" || { cat "$work/server.log"; exit 1; }
  sleep 0.1
done
[ -f "$work/data/addresses.json" ] || { echo "the server never said where it serves"; cat "$work/server.log"; exit 1; }
listens() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/data/addresses.json" "$1"; }
url=$(listens public)
admin=$(listens admin)

curl -fsS "$url/openapi.json" -o "$work/openapi.json"
"$work/venv/bin/python" -m openapi_spec_validator "$work/openapi.json"
# Four operations take a body and get all the examples; the others have next to nothing to vary.
HYPOTHESIS_STORAGE_DIRECTORY="$work/hypothesis" "$work/venv/bin/schemathesis" --config-file "$here/schemathesis.toml" run "$work/openapi.json" --url "$url" \
  --checks all --max-examples $((requests / 4)) --seed "${SEED:-1}" --no-color --generation-database none

# Feeds once more, as a server: four operations.
HYPOTHESIS_STORAGE_DIRECTORY="$work/hypothesis" "$work/venv/bin/schemathesis" --config-file "$work/feeds.toml" run "$work/openapi.json" --url "$url" \
  --include-path-regex '^/v1/feeds' --checks all --max-examples $((requests / 8)) --seed "${SEED:-1}" --no-color --generation-database none

# The admin listener last: what it is told changes what the other one answers. The token is in a file, not in the arguments of a process.
token=$(cat "$work/data/admin.token")
printf 'header = "Authorization: Bearer %s"\n' "$token" | curl -fsS --config - "$admin/openapi.json" -o "$work/admin.json"
"$work/venv/bin/python" -m openapi_spec_validator "$work/admin.json"
(umask 077; { printf '[auth.openapi.token]\nbearer = "%s"\n\n' "$token"; cat "$here/admin.toml"; } > "$work/admin.toml")
# Nine operations take a body or a query.
HYPOTHESIS_STORAGE_DIRECTORY="$work/hypothesis" "$work/venv/bin/schemathesis" --config-file "$work/admin.toml" run "$work/admin.json" --url "$admin" \
  --checks all --max-examples $((requests / 36 + 1)) --seed "${SEED:-1}" --no-color --generation-database none
kill -0 "$server" || { echo "the server did not survive it"; cat "$work/server.log"; exit 1; }
