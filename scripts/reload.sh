#!/usr/bin/env bash
# Every way a folder changes under a service, 1,000 times each (or as often as the first argument says), by events and by polling.
set -euo pipefail
cd "$(dirname "$0")/.."
export TURNOUT_ROUNDS="${1:-1000}"
cargo test --locked --release --test it files::reload_ways:: -- --nocapture --test-threads 6
cargo test --locked --release --test polling
