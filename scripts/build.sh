#!/usr/bin/env bash
# Builds the programs that scripts run. `scripts/test.sh` has built everything at once, with ALREADY_BUILT=debug: the tests need some
# libraries with more of their features, so that a build of the programs alone would build these libraries, and all that uses them, again.
#   scripts/build.sh debug      into target/debug
#   scripts/build.sh dist       into target/dist
set -euo pipefail
cd "$(dirname "$0")/.."
[ "${ALREADY_BUILT:-}" != "$1" ] || exit 0
options=()
[ "$1" = debug ] || options+=(--profile "$1")
exec cargo build --locked --quiet --workspace --bins "${options[@]}"
