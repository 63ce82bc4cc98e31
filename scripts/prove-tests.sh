#!/usr/bin/env bash
# Shows that the tests of the laws can fail: applies each patch of tests/broken/ to a copy of the sources, and wants the test named in its
# first line (`Test: FILE NAME`) to go red. A patch that does not apply or does not compile is a failure, as is a test that stays green.
#   scripts/prove-tests.sh            all of them
#   scripts/prove-tests.sh law-2      those whose name starts so
#   scripts/prove-tests.sh --short    those of the laws, of streams and of who may ask; of all others, that they apply and their test is there
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
# Libraries are those that the tests have built; programs go elsewhere, so that no broken one stands where a good one is looked for.
export CARGO_BUILD_BUILD_DIR="$target" CARGO_TARGET_DIR="$target/broken"
# A profile of their own: without debug information they are built sooner, and what the work tree has built stays as it is.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=1
# Always the same place, so that the compiler finds again what it has built there.
copy="$CARGO_TARGET_DIR/sources"
rm -rf "$copy"
mkdir -p "$copy"

# What is tracked or new, as it stands in the work tree. Each file is new to the compiler: what it built last was broken.
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [ -f "$file" ] && printf '%s\0' "$file"
done | tar --null -T - -cf - | tar -xmf - -C "$copy"
cd "$copy" || exit 1

passed=0 failed=0
fail() { printf 'FAIL %s: %s\n' "$1" "$2"; failed=$((failed + 1)); }

within() { # seconds, a command; macOS has no timeout, or calls it gtimeout
  if command -v timeout >/dev/null; then timeout "$@"; elif command -v gtimeout >/dev/null; then gtimeout "$@"; else "${@:2}"; fi
}
run() { # file, test; one that hangs is ended, and has not failed as a test does
  cargo test --locked --quiet --workspace --test "$1" --no-run >run.log 2>&1 || return
  within 300 cargo test --locked --quiet --workspace --test "$1" -- --exact "$2" >run.log 2>&1 </dev/null
}

is_there() { # file, test; they are run with all others
  [ -s "$1.list" ] || cargo test --locked --quiet --workspace --test "$1" -- --list >"$1.list" 2>/dev/null
  grep -q "^$2: test$" "$1.list"
}

# All are green before anything is broken: seen in one go, so that nothing is built anew for each.
short=false
[ "${1:-}" = "--short" ] && short=true && shift
proved=() applied=0
for patch in tests/broken/"${1:-}"*.patch; do
  name=$(basename "$patch" .patch)
  read -r word file test < <(head -n 1 "$patch")
  if [ "$word" != "Test:" ] || [ -z "$test" ]; then
    fail "$name" "its first line does not read \`Test: FILE NAME\`"
  elif $short && [[ $name != @(law|history|streams|who)-* ]]; then
    if ! is_there "$file" "$test"; then
      fail "$name" "there is no test $file $test"
    elif ! patch --quiet --dry-run -p1 <"$patch"; then
      fail "$name" "the patch does not apply"
    else
      applied=$((applied + 1))
    fi
  elif ! run "$file" "$test" || ! grep -q '1 passed' run.log; then
    fail "$name" "$file $test is not green before it is broken"; tail -n 30 run.log
  else
    proved+=("$patch")
  fi
done
if $short; then printf '%s more patches apply, and their tests are there\n' "$applied"; fi

for patch in "${proved[@]}"; do
  name=$(basename "$patch" .patch)
  read -r _ file test < <(head -n 1 "$patch")
  if ! patch --quiet --dry-run -p1 <"$patch"; then fail "$name" "the patch does not apply"; continue; fi
  patch --quiet -p1 --no-backup-if-mismatch <"$patch"
  if ! cargo test --locked --quiet --workspace --test "$file" --no-run >build.log 2>&1; then
    fail "$name" "it does not compile"; tail -n 20 build.log
  elif run "$file" "$test"; then
    fail "$name" "$file $test stays green"
  elif ! grep -q '1 failed' run.log; then
    fail "$name" "$file $test did not fail as a test does"; tail -n 20 run.log
  else
    printf 'ok   %s: %s %s goes red\n' "$name" "$file" "$test"; passed=$((passed + 1))
  fi
  patch --quiet -R -p1 --no-backup-if-mismatch <"$patch"
done
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
