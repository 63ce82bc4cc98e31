#!/usr/bin/env bash
# Proves what the service promises of its reliability, each promise on the real program in a process of its own.
#   scripts/prove.sh kills 10000 --lanes 2   nothing acknowledged is lost, doubled or halved by kill -9
#   scripts/prove.sh syncs                   every answer comes after a sync (needs strace)
#   scripts/prove.sh mixes                   a stop holds within a second in every mix of what can go wrong (root also fills a disk)
#   scripts/prove.sh starts                  the right answers whatever is left at a start
#   scripts/prove.sh flips                   durable flips a second beside a bare loop of insert and commit
#   scripts/prove.sh answers                 every answer is right for the position it states
#   scripts/prove.sh backups 100             a backup taken under flips is whole wherever kill -9 falls, and restored it lifts nothing
#   scripts/prove.sh events-kills 1000       no event that was acknowledged or seen is lost, doubled or moved by kill -9
#   scripts/prove.sh events-resumes          readers who resume at random miss nothing of 1,000,000 events, with retention on
#   scripts/prove.sh events-switches 400 --lanes 3   `turnout follow` gets each event once and in order over 400 switches of track under faults
#   scripts/prove.sh events-syncs            how many syncs a publish costs with 64 publishers (needs strace)
#   scripts/prove.sh events-full             a disk full of events refuses publishes alone (needs root, to mount one)
#   scripts/prove.sh --short                 the short forms of all of them, as CI runs them
# With --dist first, the build that ships is proved. --seed N repeats a run; --keep FILE keeps its raw result (docs/results).
set -euo pipefail
cd "$(dirname "$0")/.."

profile=debug
if [ "${1:-}" = "--dist" ]; then profile=dist; shift; fi
scripts/build.sh "$profile"
prove="target/$profile/prove"

if [ "${1:-}" != "--short" ]; then exec "$prove" "$@"; fi
failed=0
for proof in kills syncs mixes starts flips answers backups events-kills events-resumes events-switches events-syncs events-full; do
  "$prove" "$proof" --short || failed=1
done
exit "$failed"
