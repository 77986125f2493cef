#!/usr/bin/env bash
# A walk through Freeport on a machine that it was not made on: does it see, hold, free and tell what
# it should? The tests of tests/ try much more, on Linux; this runs in a minute on a Mac, with nothing
# but python3, and on Linux, too. Everything it starts is its own, in a home of its own.
#
# usage: macos/smoke.sh BINARY
# shellcheck disable=SC2317 # most functions are called by others, by name
set -uo pipefail

if [ $# != 1 ] || [ ! -x "$1" ]; then
  echo "usage: macos/smoke.sh BINARY" >&2
  exit 2
fi
freeport=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
# Not in $TMPDIR: on a Mac that is too long for a socket.
home=$(mktemp -d /tmp/freeport-smoke.XXXXXX)
export HOME=$home FREEPORT_RUNTIME_DIR=$home/run FREEPORT_DATA_DIR=$home/data
started=()
# Whatever is left of what was started here.
cleanup() {
  local pid
  for pid in ${started[@]+"${started[@]}"}; do kill -9 "$pid" 2>/dev/null; done
  rm -rf "$home"
}
trap cleanup EXIT
cd "$home" || exit 1

failed=0
pass() { echo "PASS $1"; }
fail() {
  echo "FAIL $1"
  failed=1
}
# check WHAT COMMAND…: whether the command succeeds
check() {
  local what=$1
  shift
  if "$@"; then pass "$what"; else fail "$what"; fi
}
# wait_for WHAT COMMAND…: looks until the command succeeds, for a minute at most
wait_for() {
  local what=$1 end=$((SECONDS + 60))
  shift
  until "$@" 2>/dev/null; do
    if [ $SECONDS -ge $end ]; then
      fail "$what: waited in vain"
      return 1
    fi
    sleep 0.1
  done
}
# says EXPRESSION FREEPORT-ARGUMENTS…: whether the answer in JSON, `it`, is as the expression says
says() {
  local expression=$1
  shift
  "$freeport" "$@" --json > answer.json
  python3 -c "import json, sys; it = json.load(open('answer.json')); sys.exit(not ($expression))" ||
    { echo "  freeport $*: $(cat answer.json)" >&2; return 1; }
}
# ends STATUS COMMAND…: whether the command ends with the status
ends() {
  local wanted=$1 got=0
  shift
  "$@" > out.txt 2>&1 || got=$?
  [ "$got" = "$wanted" ] || { echo "  status $got, not $wanted: $*: $(cat out.txt)" >&2; return 1; }
}
gone() { ! kill -0 "$1" 2>/dev/null; }
# may_bind PORT: whether somebody else could have the port, as most servers would ask for it
may_bind() {
  python3 -c 'import socket, sys
for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0")):
    taken = socket.socket(family)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind((address, int(sys.argv[1])))
    taken.listen()
    taken.close()' "$1" 2>/dev/null
}
may_not_bind() { ! may_bind "$1"; }
answers() {
  python3 -c 'import sys, urllib.request
urllib.request.urlopen("http://127.0.0.1:%s/" % sys.argv[1], timeout=10).read()' "$1"
}

# serve: a web server on a port that the system chooses; sets server and port
serve() {
  # Started by exec: the pid is that of Python, not of a shell.
  python3 -u -m http.server 0 --bind 127.0.0.1 > server.txt 2>&1 &
  server=$!
  started+=("$server")
  wait_for "a web server" grep -q ' port [0-9]' server.txt || return 1
  port=$(sed -n 's/.* port \([0-9]*\).*/\1/p' server.txt | head -n 1)
}

echo "== $(uname -sm), $("$freeport" --version)"
serve || exit 1
owner="[each['owner']['pid'] for each in it['listeners']] == [$server]"
check "list sees a server, and whose it is" says "$owner" list "$port"
check "why tells of it" says "it['listeners'][0]['owner']['pid'] == $server" why "$port"
check "a look leaves the server alone" answers "$port"
check "kill ends it" ends 0 "$freeport" kill "$port"
wait_for "the server to be gone" gone "$server"
check "the port is free then" may_bind "$port"
check "nobody is left to be ended" ends 3 "$freeport" kill "$port"

"$freeport" app --headless > app.txt 2>&1 &
app=$!
started+=("$app")
running="it['running']"
# Without an app, status tells so by its status.
answers_status() { says "$running" status 2>/dev/null; }
if wait_for "the app to answer" answers_status; then
  pass "app --headless answers"
  check "there is one of it" ends 5 "$freeport" app --headless
  serve && check "the app sees a server" says "[each['owner']['pid'] for each in it['listeners']] == [$server]" list "$port"
  check "the app ends a server, too" ends 0 "$freeport" kill "$port"
  wait_for "that server to be gone" gone "$server"
  check "a port can be claimed" ends 0 "$freeport" claim "$port" --project smoke
  check "which is known" says "it['reservations'][0]['project'] == 'smoke'" query "$port"
  check "another project does not get it" ends 5 "$freeport" claim "$port" --project other
  check "it is given back" ends 0 "$freeport" release "$port"
fi

# The port that `run` chooses is told to what it runs, which serves there.
# shellcheck disable=SC2016 # for the inner shell
"$freeport" run -- sh -c 'echo "$PORT" > chosen.new; mv chosen.new chosen
  exec python3 -m http.server "$PORT" --bind 127.0.0.1' > run.txt 2>&1 &
run=$!
started+=("$run")
if wait_for "run to start something" test -f chosen; then
  chosen=$(cat chosen)
  wait_for "what run started to answer" answers "$chosen" && pass "run starts a server on a port of its choice"
  check "nobody else can have that port" may_not_bind "$chosen"
  kill -TERM "$run"
  wait "$run" 2>/dev/null
  wait_for "the port of run to be free" may_bind "$chosen" && pass "it is free when run was ended"
fi
check "run ends as what it ran" ends 7 "$freeport" run -- sh -c 'exit 7'
check "run says when there is no such program" ends 127 "$freeport" run -- no-such-program

# What fails is started again, and its port is held in between although nobody listens.
"$freeport" run --port "$port" --restart on-failure -- sh -c 'echo x >> tries; exit 1' > again.txt 2>&1 &
run=$!
started+=("$run")
tried_twice() { [ "$(wc -l < tries)" -ge 2 ]; }
if wait_for "run to start it again" tried_twice; then
  pass "run starts again what failed"
  wait_for "the port to be held" may_not_bind "$port" && pass "the port is held while nobody listens"
  kill -TERM "$run"
  wait "$run" 2>/dev/null
  wait_for "the held port to be free" may_bind "$port" && pass "it is free when run was ended"
fi

if kill -0 "$app" 2>/dev/null; then
  kill -TERM "$app"
  wait "$app"
  check "the app ends when it is told to" test $? = 0
  check "it leaves no socket" test ! -e "$FREEPORT_RUNTIME_DIR/freeport.sock"
else
  fail "the app runs to the end: $(tail -n 3 app.txt)"
fi
if [ "$(uname -s)" = Darwin ]; then
  check "it starts at login when it is told to" ends 0 "$freeport" autostart enable
  check "by a property list" plutil -lint -s "$home/Library/LaunchAgents/freeport.plist"
  check "and does no more" ends 0 "$freeport" autostart disable
  check "when that is gone" test ! -e "$home/Library/LaunchAgents/freeport.plist"
fi
exit $failed
