#!/usr/bin/env bash
# A soak: the tray app on a real panel, while processes open and close 20 ports a second, reservations
# come and go, and the menu is opened and closed. Tells at the end whether memory, threads and
# descriptors stayed as they were, and whether every row is in the list; fails where they did not.
#
# usage: tests/desktop/soak.sh [MINUTES] [BINARY]        (30, target/release/freeport)
# shellcheck disable=SC2317 # functions are called by traps
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
minutes=${1:-30}
binary=$(realpath "${2:-$root/target/release/freeport}")
export OUT=${OUT:-$root/target/desktop}
mkdir -p "$OUT"
if [ "${FREEPORT_DESKTOP:-}" != inside ]; then
  exec "$root/scripts/desktop" "$here/soak.sh" "$minutes" "$binary"
fi
# shellcheck source=/dev/null
. "$here/lib.sh"

app='' churn=''
ends_all() {
  for pid in "$churn" "$app"; do
    [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2> /dev/null || true
  done
}
trap ends_all EXIT

"$binary" app &
app=$!
eventually has_icon
mkfifo "$HOME/orders"
python3 "$here/churn.py" "$XDG_RUNTIME_DIR/freeport/freeport.sock" < "$HOME/orders" > "$HOME/done" &
churn=$!
exec 9> "$HOME/orders"

# sample: its memory in kB, its threads and its descriptors.
sample() {
  local memory threads files
  memory=$(awk '/^VmRSS/ { print $2 }' "/proc/$app/status")
  threads=$(awk '/^Threads/ { print $2 }' "/proc/$app/status")
  files=("/proc/$app/fd"/*)
  echo "$SECONDS $memory $threads ${#files[@]}"
}
# The pointer leaves the icon, whose tooltip is as large as a menu.
closes_menu() { xdotool key Escape mousemove 400 700 && sleep 0.3 && has_no_menu; }
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$app/stat"; }

samples=$OUT/soak.txt
: > "$samples"
SECONDS=0
opened=0
# What is made at first, such as the first menu, is not growth.
warm=$((minutes * 60 / 10))
while [ "$SECONDS" -lt $((minutes * 60)) ]; do
  if ! kill -0 "$app" 2> /dev/null; then
    echo "FAIL the app has ended after $SECONDS s"
    exit 1
  fi
  open_dropdown
  sleep 1
  # On a busy machine a key may come before the menu has the keyboard.
  eventually closes_menu
  opened=$((opened + 1))
  sleep 8
  if [ "$SECONDS" -ge "$warm" ]; then sample >> "$samples"; fi
done
spent=$(ticks)
echo stop >&9
eventually grep -q '^{' "$HOME/done"
sleep 3
"$binary" list --all --json > "$HOME/list.json"
"$binary" query --json > "$HOME/query.json"
ss -H -lntu > "$HOME/ss.txt"
sample >> "$samples"
echo stop >&9
wait "$churn" || true
churn=

python3 - "$HOME" "$samples" "$opened" "$spent" "$minutes" << 'PYTHON'
import json, statistics, sys

home, samples, opened, spent, minutes = sys.argv[1:]
done = json.load(open(f"{home}/done"))
rows = [tuple(map(int, line.split())) for line in open(samples)]
quarter = max(1, len(rows) // 4)
failed = False
print(f"{minutes} minutes: {done['opened']} ports opened by {done['workers']} processes, "
      f"{done['reserved']} reserved and {done['released']} released, the menu opened {opened} times, "
      f"{int(spent) / 100:.1f} s of CPU")
limits = {"resident memory, kB": 1.05, "threads": 1, "descriptors": 1}
for column, (what, limit) in enumerate(limits.items(), 1):
    first = statistics.median(row[column] for row in rows[:quarter])
    last = statistics.median(row[column] for row in rows[-quarter:])
    most = max(row[column] for row in rows)
    # A descriptor follows each process that is watched: how many there are varies.
    spare = 8 if what == "descriptors" else 2 if what == "threads" else 0
    grew = last > first * limit + spare
    failed |= grew
    print(f"{'FAIL' if grew else 'PASS'} {what}: {first:.0f} in the first quarter, {last:.0f} in the last, {most} at most")
listed = {(row["port"], row["protocol"]) for row in json.load(open(f"{home}/list.json"))["listeners"]}
real = set()
for line in open(f"{home}/ss.txt"):
    words = line.split()
    real.add((int(words[4].rsplit(":", 1)[1]), words[0]))
for port, protocol in done["open"]:
    if (port, protocol) not in listed:
        failed = True
        print(f"FAIL {port}/{protocol} is open and not in the list")
for port, protocol in sorted(real ^ listed):
    failed = True
    where = "ss" if (port, protocol) in real else "the list"
    print(f"FAIL {port}/{protocol} is only in {where}")
print(f"{'FAIL' if real != listed else 'PASS'} rows: {len(listed)} in the list, {len(real)} in ss, {len(done['open'])} of them to be there")
kept = {row["port"] for row in json.load(open(f"{home}/query.json"))["reservations"]}
lost = set(done["kept"]) - kept
failed |= bool(lost) or kept != set(done["kept"])
print(f"{'FAIL' if kept != set(done['kept']) else 'PASS'} reservations: {len(kept)} there, {len(done['kept'])} to be there")
sys.exit(failed)
PYTHON
