#!/usr/bin/env bash
# Attacks a real server over loopback and prints one JSON line: what honest callers waited before, during and after each attack, what it
# cost the server, and the same of a bare server beside it. Judged is the p99 with attackers that take no CPU from anybody, as if they came
# from other machines (`tools/attack/main.rs` says why; needs `chrt` of util-linux). Short by default; the long form is
# `scripts/attack.sh --sockets 20000 --rounds 5`. A p99 needs a quiet machine; where others work on it too, `chrt --rr 1 scripts/attack.sh`, as
# root, puts the servers and the callers before them. With --debug first, the debug build is attacked: it is slower and holds more.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=dist
if [ "${1:-}" = "--debug" ]; then profile=debug; shift; fi
scripts/build.sh "$profile"
exec "target/$profile/attack" "$@"
