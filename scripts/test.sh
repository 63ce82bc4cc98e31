#!/usr/bin/env bash
# Runs every check there is. What this machine lacks is named as NOT CHECKED, and counted in the last line; with CI=true it is a failure,
# but for what another host did not answer.
#   scripts/test.sh           everything: 35 minutes on two cores, most of it the tests, prove-tests and the first build
#   scripts/test.sh --quick   without prove-tests: 30 minutes
# It downloads and installs for itself alone: crates, Python packages below target/, Node packages in the folders that name them.
# As root it mounts a small file system for tests/walk.sh. It needs bash and git; each step says what else.
# macOS has no /proc, chrt and strace, and names them differently or not at all: what needs them is NOT CHECKED there.
set -euo pipefail
cd "$(dirname "$0")/.."

ci="${CI:-false}"
quick=false
[ "${1:-}" = "--quick" ] && quick=true
missing=()
# What another host did not answer: that says nothing about this tree or machine, so it is counted and fails nothing.
unanswered=()

# What each step took stands below it: seconds, and CPU seconds of the programs that ran.
times_file=$(mktemp)
trap 'rm -f "$times_file"' EXIT
begun=0 cpu_begun=0
took() {
  local cpu
  times >"$times_file" # through a file: in a pipe it counts the pipe's own programs
  cpu=$(awk 'END { gsub(/[ms]/, " "); print int($1 * 60 + $2 + $3 * 60 + $4) }' "$times_file")
  [ "$SECONDS" -eq "$begun" ] || printf -- '-- %d s, %d s of CPU\n' $((SECONDS - begun)) $((cpu - cpu_begun))
  begun=$SECONDS cpu_begun=$cpu
}
step() {
  took
  printf '\n== %s\n' "$*"
}
lacks() { # what is not checked, and why
  printf 'NOT CHECKED: %s\n' "$1"
  missing+=("$1")
}

linux=true
[ "$(uname -s)" = "Linux" ] || linux=false
: "${CHROMIUM:=/usr/bin/chromium}"
if ! $linux && [ ! -x "$CHROMIUM" ]; then CHROMIUM="/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; fi
export CHROMIUM
printf 'This takes about %s minutes on two cores, the first time longer.\n' "$(if $quick; then echo 30; else echo 35; fi)"

step "dependencies"
judged=0
mkdir -p target
scripts/dependencies.sh | tee target/dependencies.log || judged=$?
if grep -q "^NOT CHECKED" target/dependencies.log; then unanswered+=("advisories (their database cannot be fetched)"); fi
case "$judged" in
  0) ;;
  3) lacks "dependencies (cargo-deny cannot be built)" ;;
  *) exit 1 ;;
esac

# On a clean clone there is nothing to build upon, and what later builds would need is not written.
[ -d "${CARGO_TARGET_DIR:-target}/debug" ] || export CARGO_INCREMENTAL=0

step "format"
if cargo fmt --version >/dev/null 2>&1; then cargo fmt --all --check; else lacks "formatting (rustup component add rustfmt)"; fi

step "lints"
if cargo clippy --version >/dev/null 2>&1; then
  cargo clippy --locked --workspace --all-targets -- -D warnings
else
  lacks "lints (rustup component add clippy)"
fi

step "scripts"
if command -v shellcheck >/dev/null; then
  git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck
else
  lacks "scripts in bash (apt-get install shellcheck)"
fi
if python3 -c 'import ensurepip, venv' 2>/dev/null; then
  python3 -m venv target/ruff
  target/ruff/bin/pip install --quiet --disable-pip-version-check -r scripts/requirements.txt
  target/ruff/bin/ruff check --quiet
else
  lacks "scripts in Python (needs python3 with venv)"
fi

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet

step "every program and every test, built"
cargo build --locked --workspace --bins --tests --examples
export ALREADY_BUILT=debug

step "the shipped flags"
"${CARGO_TARGET_DIR:-target}/debug/turnout" check flags flags/examples/*

step "an operator's day, typed into a shell"
if command -v python3 >/dev/null && command -v curl >/dev/null; then
  tests/walk.sh | tee target/walk.log
  # Mounting a small file system takes a root that may.
  if grep -q "^NOT CHECKED" target/walk.log; then lacks "a full disk (tests/walk.sh as root)"; fi
else
  lacks "tests/walk.sh (needs python3 and curl)"
fi

step "the vectors, answered by another language"
if command -v python3 >/dev/null; then python3 tests/vectors/answer.py; else lacks "tests/vectors/answer.py (needs python3)"; fi

step "the real OFREP providers for the web and for servers"
if command -v node >/dev/null && command -v npm >/dev/null; then
  for provider in tests/ofrep-web tests/ofrep-server; do
    (cd "$provider" && npm ci --no-audit --no-fund --loglevel=error && npm test --silent)
  done
else
  lacks "the OFREP providers for Node (needs node and npm)"
fi

step "the clients in TypeScript"
if command -v node >/dev/null && command -v npm >/dev/null; then
  (cd clients/typescript && npm ci --no-audit --no-fund --loglevel=error && npm run --silent check && npm run --silent real)
  [ -x "$CHROMIUM" ] || lacks "seven tabs of a browser (needs chromium; CHROMIUM=path if it is elsewhere)"
else
  lacks "the clients in TypeScript (needs node and npm)"
fi

step "the real OFREP provider for Python"
if python3 -c 'import ensurepip, venv' 2>/dev/null; then
  python3 -m venv target/ofrep-python
  target/ofrep-python/bin/pip install --quiet --disable-pip-version-check -r tests/ofrep-python/requirements.txt
  target/ofrep-python/bin/python tests/ofrep-python/test_ofrep.py
else
  lacks "the OFREP provider for Python (needs python3 with venv)"
fi

step "a real browser on another origin"
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  lacks "a page on another origin (needs node and npm)"
elif [ ! -x "$CHROMIUM" ]; then
  lacks "a page on another origin (needs chromium; CHROMIUM=path if it is elsewhere)"
else
  (cd tests/browser && npm ci --no-audit --no-fund --loglevel=error && npm test --silent)
fi

step "the applications of docs/CLIENTS.md, built and run in a real browser"
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  lacks "the applications of examples/ (needs node and npm)"
elif [ ! -x "${CHROMIUM:=/usr/bin/chromium}" ]; then
  lacks "the applications of examples/ (needs chromium; CHROMIUM=path if it is elsewhere)"
else
  # The packages were built and tests/browser was installed above.
  for application in react next; do
    (cd "examples/$application" && npm ci --no-audit --no-fund --loglevel=error)
  done
  CHROMIUM="$CHROMIUM" node --test examples
fi

step "streams behind a real nginx, configured as it comes"
if ! command -v node >/dev/null; then
  lacks "streams behind a proxy (needs node)"
elif [ ! -x "${NGINX:=$(command -v nginx || echo /usr/sbin/nginx)}" ]; then
  lacks "streams behind a proxy (needs nginx; NGINX=path if it is elsewhere)"
else
  NGINX="$NGINX" node --test tests/nginx
fi

# The contract is fuzzed beside the broken patches: each keeps one core busy, and neither measures time.
fuzzing=
if python3 -c 'import ensurepip, venv' 2>/dev/null && command -v curl >/dev/null; then
  scripts/schemathesis.sh >target/schemathesis.log 2>&1 &
  fuzzing=$!
  trap 'rm -f "$times_file"; kill "$fuzzing" 2>/dev/null || true' EXIT
else
  lacks "scripts/schemathesis.sh (needs python3 with venv, and curl)"
fi

if ! $quick; then
  step "every law has a test that goes red when it is broken"
  if command -v patch >/dev/null; then scripts/prove-tests.sh --short; else lacks "scripts/prove-tests.sh (needs patch)"; fi
fi

step "the contract, fuzzed"
if [ -n "$fuzzing" ]; then
  fuzzed=0
  wait "$fuzzing" || fuzzed=$?
  trap 'rm -f "$times_file"' EXIT
  cat target/schemathesis.log
  [ "$fuzzed" -eq 0 ] || exit 1
fi

step "the reliability proofs, in short"
proofs=0
scripts/prove.sh --short > target/proofs.txt || proofs=$?
grep -v '^{' target/proofs.txt || true
if [ "$proofs" -ne 0 ]; then cat target/proofs.txt; exit 1; fi
while read -r line; do missing+=("$line"); done < <(grep -h '^NOT CHECKED: syncs' target/proofs.txt | sed 's/^NOT CHECKED: //')

step "what bad readers of streams leave behind, in short"
if $linux && command -v python3 >/dev/null && command -v chrt >/dev/null; then
  scripts/prove-streams.py --short
else
  lacks "scripts/prove-streams.py (needs Linux, python3, and chrt of util-linux)"
fi

step "what clients without a credential can make the server hold, in short"
if $linux; then
  scripts/attack.sh --debug strangers --sockets 900 --seconds 9 --flags 1000
else
  lacks "scripts/attack.sh (needs Linux: it reads /proc)"
fi

step "what feeds cost, in short"
if $linux && command -v python3 >/dev/null; then
  scripts/numbers-feeds.py --short | tee target/numbers-feeds.txt
  if grep -q "^NOT CHECKED" target/numbers-feeds.txt; then lacks "what an idle poll costs (needs valgrind)"; fi
else
  lacks "scripts/numbers-feeds.py (needs Linux and python3)"
fi

step "clients who all leave realtime at once and come back, in short"
if command -v python3 >/dev/null; then scripts/numbers-realtime.py herd --short; else lacks "scripts/numbers-realtime.py (needs python3)"; fi

step "tests"
# Many wait for a server, so one more than the cores are run at once.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(getconf _NPROCESSORS_ONLN) + 1))}
export RUST_TEST_THREADS
cargo test --locked --workspace --no-fail-fast
took

left_out=$((${#missing[@]} + ${#unanswered[@]}))
if [ "$left_out" -gt 0 ]; then
  printf '\nNOT CHECKED on this machine:\n'
  printf '  %s\n' ${missing[@]+"${missing[@]}"} ${unanswered[@]+"${unanswered[@]}"}
  if [ "$ci" = "true" ] && [ "${#missing[@]}" -gt 0 ]; then echo "with CI=true, that is a failure"; exit 1; fi
fi
if [ "$left_out" -eq 0 ]; then checked="everything was checked"; else checked="$left_out NOT CHECKED (named above)"; fi
printf '\nscripts/test.sh: green in %d min (%d s of CPU), %s\n' $((SECONDS / 60)) "$cpu_begun" "$checked"
