#!/usr/bin/env bash
# An operator's day, typed into a shell: a server of its own, every verb, and what goes wrong (an altered history, a stale author, a
# database that is gone, a full disk). The output is compared, without the times. Ends with `N passed, 0 failed`.
#   tests/walk.sh            builds what it needs
#   TURNOUT=path walk.sh     walks with that binary
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

if [ -z "${TURNOUT:-}" ]; then
  scripts/build.sh debug || exit 1
  TURNOUT="${CARGO_TARGET_DIR:-target}/debug/turnout"
fi
for name in $(env | sed -n 's/^\(TURNOUT_[A-Z_]*\)=.*/\1/p') INTERNAL_USER_IDS ENABLE_SERVER_AUTH FEATURE_CLIENT_SUPABASE; do unset "$name"; done

home="$(mktemp -d)"
server=0 follower=0 mounted="" passed=0 failed=0
end() {
  if [ "$follower" != 0 ]; then kill -9 "$follower" 2>/dev/null; fi
  if [ "$server" != 0 ]; then kill -9 "$server" 2>/dev/null; wait "$server" 2>/dev/null; fi
  if [ -n "$mounted" ]; then umount "$mounted"; fi
  rm -rf "$home"
}
trap end EXIT
trap 'exit 1' INT TERM
cp -r flags "$home/flags"
export TURNOUT_DATA="$home/data" TZ=UTC

step() { printf '\n== %s\n' "$*"; }
good() { passed=$((passed + 1)); printf 'ok    %s\n' "$1"; }
bad() { # what, what was wanted, what came
  failed=$((failed + 1))
  local indent=$'\n    '
  printf 'FAIL  %s\n  wanted:\n    %s\n  came:\n    %s\n' "$1" "${2//$'\n'/$indent}" "${3//$'\n'/$indent}"
}
same() { if [ "$2" = "$3" ]; then good "$1"; else bad "$@"; fi; } # what, wanted, came

timeless() { # times are other ones on every walk; so is how far a loss was looked into, and which state was kept last
  sed -E 's/([A-Z][a-z]{2} [0-9]{2} [A-Z][a-z]{2} )?[0-9]{2}:[0-9]{2}/HH:MM/g; s/ +$//
    s/out of reach \([^)]*\)/out of reach (WHY)/; s/compared with revision [0-9]+ /compared with revision N /
    s/\x1b\[[0-9;]*m//g; s/.*\x1b\[2K\x1b\[\?7l\x1b\[\?7h//
    s/(50|90|99)% within [0-9.]+ m?s/\1% within TIME/g; s/\(within [0-9.]+ m?s/(within TIME/g; /^  [0-9]+ of [0-9]+ polling users? asked since/d'
}
typed() { # what is typed, the exit code, and on stdin what is printed, on either stream
  local line="$1" exit="$2" wanted came
  wanted="$(cat)
[exit $exit]"
  came="$(eval "\"$TURNOUT\" $line" 2>&1 </dev/null; echo "[exit $?]")"
  same "turnout $line" "$wanted" "$(timeless <<<"$came")"
}
await() { # what, a pattern, a command whose output comes to match it
  local what="$1" pattern="$2" came=""
  shift 2
  for _ in $(seq 1200); do
    came="$("$@" 2>&1)"
    if grep -qE "$pattern" <<<"$came"; then good "$what"; return; fi
    sleep 0.05
  done
  bad "$what" "$pattern" "$came"
}
listens() { # a file, a listener: its URL
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$@" 2>/dev/null
}
start() {
  local addresses="$TURNOUT_DATA/addresses.json"
  rm -f "$addresses"
  "$TURNOUT" serve --flags "$home/flags" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 2>"$home/log" &
  server=$!
  for _ in $(seq 1200); do
    if [ -f "$addresses" ] || ! kill -0 "$server" 2>/dev/null; then break; fi
    sleep 0.05
  done
  public="$(listens "$addresses" public)"
  admin="$(listens "$addresses" admin)"
  if [ -n "$admin" ]; then good "the server starts"; else bad "the server starts" "an address" "$(cat "$home/log")"; fi
}
stop_server() {
  kill -TERM "$server"
  wait "$server"
  same "the server ends" 0 "$?"
  server=0
}
client() { # what a client with this key is told
  curl -s "$public/v1/strategy/build-events" -d "{\"targetingKey\":\"$1\"}" | sed -E 's/.*"strategy":"([^"]*)".*/\1/'
}
verify() { "$TURNOUT" history --verify; }
kept() { await "the newest state is kept, to compare the history with" 'compared with revision' verify; }
order() { # path, body: the status and the body
  curl -s -w '\n%{http_code}\n' "$admin$1" -H "Authorization: Bearer $(cat "$TURNOUT_DATA/admin.token")" -d "$2"
}
status_quietly() { "$TURNOUT" status 2>/dev/null; }

step "start and look"
start
typed "status" 0 <<'OUT'
revision 1 is live and saved
FLAG          LIVE             FILE  HELD BY  REV  CLIENTS
build-events  realtime-v2 10%  =     -        1    -
OUT
same "u-1 (bucket 13639) polls" polling "$(client u-1)"

step "move the rollout"
typed "set build-events 25%" 3 <<'OUT'
turnout: this opens a feature to more users, so it needs a reason; say --reason "…"
OUT
typed "set build-events 25% --reason 'p95 fine'" 0 <<'OUT'
revision 2   build-events   realtime-v2 10% -> 25%   held by local-admin
undo: turnout rollback build-events
OUT
same "u-1 is told so" realtime-v2 "$(client u-1)"
typed "set build-events 50% --reason 'still fine' --for 2h" 0 <<'OUT'
revision 3   build-events   realtime-v2 25% -> 50%   held by local-admin until HH:MM UTC
undo: turnout rollback build-events
OUT
typed "status build-events" 0 <<'OUT'
revision 3 is live and saved
build-events
  live     realtime-v2 50%
  file     realtime-v2 10%
  held     realtime-v2 50% by local-admin at HH:MM UTC (still fine)
  ends     at HH:MM UTC: then realtime-v2 25%, if that does not widen
  owner    realtime-team
  changed  at revision 3
  clients  no stream is open
OUT
typed "rollback build-events" 0 <<'OUT'
revision 4   build-events   realtime-v2 50% -> 25%   back to revision 2   held by local-admin
held over the file until you type: turnout unset build-events
undo: turnout rollback build-events --to 3 --reason '…'
OUT
typed "rollback build-events" 0 <<'OUT'
revision 5   build-events   realtime-v2 25% -> 10%   back to revision 1
undo: turnout rollback build-events --to 4 --reason '…'
OUT
same "u-1 polls again" polling "$(client u-1)"

step "an emergency"
typed "stop build-events" 0 <<'OUT'
revision 6   build-events   realtime-v2 10% -> STOPPED (polling)
undo: turnout resume build-events --reason '…'
OUT
same "a colleague polls too" polling "$(client u-42)"
sed 's/realtime-v2: 10% /realtime-v2: 40% /' flags/build-events.yaml >"$home/flags/build-events.yaml"
await "the file's edit is taken in" 'STOPPED \(polling\) +40%' status_quietly
typed "status" 0 <<'OUT'
revision 7 is live and saved
FLAG          LIVE               FILE  HELD BY             REV  CLIENTS
build-events  STOPPED (polling)  40%   local-admin (stop)  7    -
OUT
same "an edit lifts no stop" polling "$(client u-1)"
stop_server
start
typed "status" 0 <<'OUT'
revision 7 is live and saved
FLAG          LIVE               FILE  HELD BY             REV  CLIENTS
build-events  STOPPED (polling)  40%   local-admin (stop)  7    -
OUT
typed "set build-events 20%" 0 <<'OUT'
revision 8   build-events   STOPPED (polling)   kept for later: 20%
saved, NOT live: stopped by local-admin; to lift that, type: turnout resume build-events --reason '…'
undo: turnout rollback build-events --reason '…'
OUT
typed "resume build-events --at 1% --reason 'fixed'" 0 <<'OUT'
revision 9   build-events   STOPPED -> realtime-v2 1%   held by local-admin
undo: turnout stop build-events
OUT
typed "unset build-events --reason 'the file is right'" 0 <<'OUT'
revision 10   build-events   realtime-v2 1% -> 40%
undo: turnout rollback build-events
OUT
same "u-1 is inside again" realtime-v2 "$(client u-1)"

step "help fits a terminal of 80 columns"
wide="$(python3 - "$TURNOUT" <<'PY'
import fcntl, os, pty, re, struct, sys, termios
def shown(*words):
    child, terminal = pty.fork()
    if child == 0:
        os.read(0, 1)
        os.execv(sys.argv[1], ["turnout", *words, "--help"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.write(terminal, b"\n")
    text = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        text += piece
    os.waitpid(child, 0)
    return re.sub(r"\x1b\[[0-9;]*m", "", text.decode()).replace("\r", "").split("\n")
verbs = [line.split()[0] for line in shown() if re.match(r"  [a-z]+  ", line)]
print(len(verbs) > 15, [line for verb in [[], *([verb] for verb in verbs)] for line in shown(*verb) if len(line) > 80])
PY
)"
same "no line of any verb is longer" "True []" "$wide"

step "two authors"
same "the first is heard" 200 "$(order /v1/flags/build-events/set '{"realtime-v2":"60%","reason":"first","expectedRevision":10}' | tail -1)"
stale="$(order /v1/flags/build-events/set '{"realtime-v2":"70%","reason":"second","expectedRevision":10}')"
same "the second is refused" 409 "$(tail -1 <<<"$stale")"
told="$(head -1 <<<"$stale" | python3 -c '
import json, sys
problem = json.load(sys.stdin)
for since in problem["since"]:
    print(problem["code"], since["revision"], since["actor"], since["reason"], since["changes"][0]["is"])')"
same "and hears what changed" "revision-conflict 11 local-admin first realtime-v2 60%" "$told"
same "a stop is never refused" 200 "$(order /v1/flags/build-events/stop '{"expectedRevision":1}' | tail -1)"
typed "resume build-events --reason drill" 0 <<'OUT'
revision 13   build-events   STOPPED -> realtime-v2 60%   held by local-admin
undo: turnout stop build-events
OUT

step "on a terminal"
terminal() { # answers, a line each, then the words; while the question waits, $MEANWHILE is run
  python3 - "$TURNOUT" "$@" <<'PY'
import os, pty, re, subprocess, sys
turnout, answers, words = sys.argv[1], sys.argv[2].split("|"), sys.argv[3:]
child, terminal = pty.fork()
if child == 0:
    os.execv(turnout, [turnout, *words])
shown = b""
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    if answers and re.search(rb"(\[y/N\]|reason:) $", shown):
        if os.environ.get("MEANWHILE"):
            for line in os.environ.pop("MEANWHILE").split(";"):
                subprocess.run([turnout, *line.split()], capture_output=True, stdin=subprocess.DEVNULL)
        answer = answers.pop(0)
        os.write(terminal, answer.encode() + b"\n")
_, status = os.waitpid(child, 0)
print(shown.decode().replace("\r", "").rstrip("\n"))
print(f"[exit {os.waitstatus_to_exitcode(status)}]")
PY
}
same "no is no" "realtime-v2 60% -> 80% on build-events? [y/N] n
nothing was changed
[exit 1]" "$(terminal "n" set build-events 80% | timeless)"
same "yes, and why" "realtime-v2 60% -> 80% on build-events? [y/N] y
reason: it holds
revision 14   build-events   realtime-v2 60% -> 80%   held by local-admin
undo: turnout rollback build-events
[exit 0]" "$(terminal "y|it holds" set build-events 80% | timeless)"
same "--yes does not ask" "revision 15   build-events   realtime-v2 80% -> 90%   held by local-admin
undo: turnout rollback build-events
[exit 0]" "$(terminal "" set build-events 90% --yes --reason more | timeless)"
same "what narrows is not asked about" "revision 16   build-events   realtime-v2 90% -> 70%   held by local-admin
undo: turnout rollback build-events --reason '…'
[exit 0]" "$(terminal "" set build-events 70% | timeless)"
same "what changed while the question stood is told" "realtime-v2 70% -> 80% on build-events? [y/N] y
turnout: \`build-events\` changed at revision 17, before this was done; look again
  (turnout status) and ask again. Meanwhile:
  revision 17 HH:MM UTC local-admin: set build-events 70% -> 30%
[exit 3]" "$(MEANWHILE="set build-events 30%" terminal "y" set build-events 80% --reason again | timeless)"

step "an altered history"
kept
typed "history --verify" 0 <<'OUT'
unaltered: 17 revisions read, each is what its hash says
  compared with revision N as this server saw it
OUT
alter() { python3 -c '
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=10) as database:
    database.execute("UPDATE revisions SET reason = ? WHERE revision = 3", (sys.argv[2],))' "$TURNOUT_DATA/turnout.db" "$1"; }
alter "forged"
kept
typed "history --verify" 1 <<'OUT'
NOT SOUND: 17 revisions read
  compared with revision N as this server saw it
  revision 3 was altered: it is not what its hash says
OUT
alter "still fine"
typed "history --limit 3" 0 <<'OUT'
REV  WHEN (UTC)  WHO          CHANGE
17   HH:MM       local-admin  set build-events 70% -> 30%
16   HH:MM       local-admin  set build-events 90% -> 70%
15   HH:MM       local-admin  set build-events 80% -> 90%
                                more
older ones: turnout history --before 15
OUT

step "the database's file is gone"
mkdir "$home/away"
mv "$TURNOUT_DATA"/turnout.db* "$home/away/"
await "status says so" '^database DOWN since .*, serving revision 17 from memory; stopping and lowering work' status_quietly
typed "set build-events 90% --reason more" 4 <<'OUT'
turnout: the database is out of reach (WHY); stopping and lowering work all the same
OUT
same "nothing is asked that cannot be done" "turnout: the database is out of reach
[exit 4]" "$(terminal "y" set build-events 90% --reason more | sed -E 's/ of reach.*/ of reach/; /^  /d')"
typed "stop build-events" 0 <<'OUT'
position 17+1   build-events   realtime-v2 30% -> STOPPED (polling)
live here, not yet saved: it is saved when the database answers again; survives a restart
undo: turnout resume build-events --reason '…'
OUT
same "it is heard at once" polling "$(client u-1)"
await "it is counted" '1 change not yet saved' status_quietly
mv "$home/away"/turnout.db* "$TURNOUT_DATA/"
await "it comes back by itself" '^revision 18 is live and saved' status_quietly
kept
typed "history --verify" 0 <<'OUT'
unaltered: 18 revisions read, each is what its hash says
  compared with revision N as this server saw it
OUT
typed "status" 0 <<'OUT'
revision 18 is live and saved
FLAG          LIVE               FILE  HELD BY             REV  CLIENTS
build-events  STOPPED (polling)  40%   local-admin (stop)  18   -
OUT

step "a change is watched as it lands"
"$TURNOUT" ask build-events --user u-1 -w --url "$public" >"$home/told" 2>/dev/null &
follower=$!
await "a client follows" 'polling +rule stop' cat "$home/told"
typed "resume build-events --at 50% --reason fixed -w 2>/dev/null" 0 <<'OUT'
revision 19   build-events   STOPPED -> realtime-v2 50%   held by local-admin
1 of 1 client holds it (within TIME)   done
OUT
await "it is told" 'poll on; enter realtime within 5000 ms by chance' cat "$home/told"
drawn="$(terminal "" set build-events 5% -w)"
same "on a terminal one line is drawn again" "revision 20   build-events   realtime-v2 50% -> 5%   held by local-admin
undo: turnout rollback build-events --reason '…'
1 of 1 client holds it (within TIME)   done
[exit 0]" "$(timeless <<<"$drawn")"
same "with a bar" 1 "$(grep -cE $'[█░]{20} .* 1 (of 1 hold it|missing)' <<<"$drawn")"
await "it is told again" 'leave realtime at once; first poll within 5000 ms' cat "$home/told"
kill -INT "$follower"
wait "$follower"
same "a client that is ended by hand ends well" 0 "$?"
follower=0

step "answers on a terminal"
typed "stop build-events" 0 <<'OUT'
revision 21   build-events   realtime-v2 5% -> STOPPED (polling)
undo: turnout resume build-events --reason '…'
OUT
same "no keeps nothing for later" "build-events is stopped by local-admin and stays stopped. Keep realtime-v2 40%
  for when it is resumed? [y/N] n
nothing was changed
[exit 1]" "$(terminal "n" set build-events 40% | timeless)"
same "yes keeps a share for later" "build-events is stopped by local-admin and stays stopped. Keep realtime-v2 60%
  for when it is resumed? [y/N] y
reason: later
revision 22   build-events   STOPPED (polling)   kept for later: 60%
saved, NOT live: stopped by local-admin; to lift that, type:
  turnout resume build-events --reason '…'
undo: turnout rollback build-events
[exit 0]" "$(terminal "y|later" set build-events 60% | timeless)"
typed "resume build-events --at 50% --reason fixed" 0 <<'OUT'
revision 23   build-events   STOPPED -> realtime-v2 50%   held by local-admin
undo: turnout stop build-events
OUT
same "a rollback says first what will be live" "build-events: 50% -> 60%, back to revision 22, held until you type
  \`turnout unset build-events\`? [y/N] y
reason: over
revision 24   build-events   realtime-v2 50% -> 60%   back to revision 22
  held by local-admin
held over the file until you type: turnout unset build-events
undo: turnout rollback build-events --to 23
[exit 0]" "$(terminal "y|over" rollback build-events --to 22 | timeless)"
same "what only lowers is let go without a question" "revision 25   build-events   realtime-v2 60% -> 40%
undo: turnout rollback build-events --reason '…'
[exit 0]" "$(terminal "" unset build-events | timeless)"
typed "stop --all --reason drill" 0 <<'OUT'
revision 26   build-events   realtime-v2 40% -> STOPPED (polling)
undo: turnout resume --all --reason '…'
OUT
same "resume --all lifts the stop that it asked about, and no later one" "lift the stop by local-admin at HH:MM UTC (drill) of 1 flag: build-events? [y/N] y
reason: over
turnout: \`build-events\` changed at revision 28, before this was done; look again
  (turnout status) and ask again. Meanwhile:
  revision 28 HH:MM UTC local-admin: stop build-events STOPPED
  revision 27 HH:MM UTC local-admin: resume build-events (over)
[exit 3]" "$(MEANWHILE="resume build-events --reason over;stop build-events" terminal "y|over" resume --all | timeless)"
typed "resume build-events --reason over" 0 <<'OUT'
revision 29   build-events   STOPPED -> realtime-v2 40%
undo: turnout stop build-events
OUT
stop_server

step "a full disk"
small="$home/small"
mkdir "$small"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=12m tmpfs "$small" 2>/dev/null; then
  mounted="$small"
  export TURNOUT_DATA="$small/data"
  start
  kept
  dd if=/dev/zero of="$small/filler" bs=64k 2>/dev/null
  dd if=/dev/zero of="$small/filler2" bs=1 count=65536 2>/dev/null
  typed "set build-events 90% --reason more" 4 <<'OUT'
turnout: the disk is full; stopping and lowering work all the same; make room in the data folder
OUT
  typed "stop build-events" 0 <<'OUT'
position 1+1   build-events   realtime-v2 40% -> STOPPED (polling)
live here, not yet saved: it is saved when the database answers again; survives a restart
undo: turnout resume build-events --reason '…'
OUT
  rm "$small/filler" "$small/filler2"
  await "it heals when there is room" '^revision 2 is live and saved' status_quietly
  typed "resume build-events --reason room" 0 <<'OUT'
revision 3   build-events   STOPPED -> realtime-v2 40%
undo: turnout stop build-events
OUT
  kept
  typed "history --verify" 0 <<'OUT'
unaltered: 3 revisions read, each is what its hash says
  compared with revision N as this server saw it
OUT
  stop_server
else
  printf 'NOT CHECKED: a full disk (needs root, to mount a small tmpfs)\n'
fi

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
