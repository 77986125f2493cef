#!/usr/bin/env bash
# A walk through the tray, with a mouse, in a real panel: the dropdown, a kill, the notification, an
# intruder on a reserved port, a claimant that dies, a panel that restarts. Prints PASS or FAIL for
# each step and leaves pictures in $OUT.
#
# usage: tests/desktop/walk.sh [BINARY]        (target/release/freeport)
# shellcheck disable=SC2317 # functions are called by traps and by other functions
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
binary=$(realpath "${1:-$root/target/release/freeport}")
export OUT=${OUT:-$root/target/desktop}
mkdir -p "$OUT"

if [ "${FREEPORT_DESKTOP:-}" != inside ]; then
  for program in Xvfb dbus-run-session dbus-monitor xfce4-panel gdbus xdotool scrot import convert; do
    if ! command -v "$program" > /dev/null; then
      echo "SKIPPED: the desktop walk needs $program (see scripts/desktop)" >&2
      exit 0
    fi
  done
  exec "$root/scripts/desktop" "$here/walk.sh" "$binary"
fi
# shellcheck source=/dev/null
. "$here/lib.sh"

failed=0
step() {
  local what=$1
  shift
  if "$@"; then
    echo "PASS $what"
  else
    echo "FAIL $what"
    failed=1
    shot "failed-${what//[^a-z]/-}"
  fi
}

started=()
ends_all() {
  for pid in "${started[@]}" "${panel:-}"; do
    [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2> /dev/null || true
  done
}
trap ends_all EXIT

# serve PROJECT: a web server in a project of that name; sets port and pid.
serve() {
  mkdir -p "$HOME/$1"
  echo "{\"name\": \"$1\"}" > "$HOME/$1/package.json"
  (cd "$HOME/$1" && exec python3 -u -m http.server 0 --bind 127.0.0.1) > "$HOME/$1.log" 2> /dev/null &
  pid=$!
  started+=("$pid")
  eventually grep -qs ' port ' "$HOME/$1.log"
  port=$(sed 's/.* port \([0-9]*\) .*/\1/' "$HOME/$1.log")
}
lists() { "$binary" list --json | grep -q "\"port\":$1,"; }
lists_not() { ! lists "$1"; }
runs() { kill -0 "$1" 2> /dev/null; }
runs_not() { ! runs "$1"; }
logs() { grep -q "$1" "$HOME/freeport.log"; }
tray_is() { "$binary" status --json | grep -q "\"tray\":{\"shown\":$1,"; }
has_notification() { windows xfce4-notifyd | awk '$3 > 100' | grep -q .; }
# The notification with buttons, which is higher than others.
asking() {
  windows xfce4-notifyd | awk '$3 > 100 && $4 > 100 { print; found = 1; exit } END { exit !found }'
}
asks() { asking > /dev/null; }
asks_not() { ! asks; }
# Whether a notification was asked for that has this line, or several.
told() { [ "$(grep -c "^ *string \"$1\"$" "$HOME/notes.log")" -ge "${2:-1}" ]; }
now() { date +%s%3N; }
clipboard_is() { [ "$(timeout 2 xclip -selection clipboard -out 2> /dev/null)" = "$1" ]; }
colours() { import -silent -window root -crop "$1" png:- | convert png:- -unique-colors txt:- | wc -l; }

# Opens the dropdown, and the submenu of the row with this number, from 1.
open_row() {
  open_dropdown || return 1
  read -r mx my _ mh < <(menus | head -1)
  settled || eventually settled
  # The headline, a line, and then the rows.
  point $((mx + 60)) $((my + ROW_TOP + ($1 - 1) * ROW_HEIGHT))
  eventually has_menus 2 || return 1
  read -r sx sy _ sh < <(menus | awk -v x="$mx" -v y="$my" '$1 != x || $2 != y' | head -1)
}
# In Adwaita, an entry is 26 pixels high, and a line 9.
ROW_HEIGHT=26 ROW_TOP=53
# The last entry of the submenu of a row: Kill.
kill_y() { echo $((sy + sh - 18)); }

# intrude PORT: somebody of the project "blog" listens there; sets thief.
intrude() {
  (cd "$HOME/blog" && exec python3 -m http.server "$1" --bind 127.0.0.1) > /dev/null 2>&1 &
  thief=$!
  started+=("$thief")
}

serve blog
blog=$pid blog_port=$port
serve shop
shop=$pid shop_port=$port
first=$blog first_port=$blog_port other=$shop other_port=$shop_port
if [ "$shop_port" -lt "$blog_port" ]; then
  first=$shop first_port=$shop_port other=$blog other_port=$blog_port
fi

dbus-monitor --session "interface='org.freedesktop.Notifications'" > "$HOME/notes.log" 2>&1 &
started+=("$!")
"$binary" app 2> "$HOME/freeport.log" &
app=$!
started+=("$app")
step "the app knows that a panel shows its icon" eventually tray_is true
step "the icon is in the panel" eventually has_icon
eventually settled || true
read -r ix iy iw ih < <(icon)
step "the icon is drawn" test "$(colours "${iw}x$ih+$ix+$iy")" -gt 4

step "a left click opens the dropdown" open_dropdown
shot dropdown
xdotool key Escape
step "Escape closes it" eventually has_no_menu

step "hovering opens the submenu of a row" open_row 1
shot submenu
step "both servers are up" eval "runs $first && runs $other"
click_at $((sx + 60)) "$(kill_y)"
step "a click on Kill ends the server of that row" eventually runs_not "$first"
step "the port is free" eventually lists_not "$first_port"
step "the other server is up" runs "$other"
step "a notification tells it" eventually has_notification
shot notification
step "the menu is closed" eventually has_no_menu

step "the dropdown opens again" open_row 1
shot afterwards
# Above Kill is what reserves the port, and above that Copy URL, with lines in between.
click_at $((sx + 60)) $(($(kill_y) - 52))
if command -v xclip > /dev/null; then
  step "Copy URL copies the address of the row that is left" \
    eventually clipboard_is "http://localhost:$other_port"
else
  echo "SKIPPED: Copy URL needs xclip" >&2
fi
step "the other server is still up" runs "$other"

open_row 1 || true
click_at $((sx + 60)) $(($(kill_y) - 26))
is_reserved() { "$binary" query "$1" --json | grep -q "\"project\":\"$2\""; }
other_project=blog
[ "$other" = "$blog" ] || other_project=shop
step "a click on Reserve reserves the port" eventually is_reserved "$other_port" "$other_project"

read -r reserved claimed < <("$binary" suggest -n 2 | xargs)
step "a port can be set aside" eval "\"$binary\" reserve $reserved --project docs --service web > /dev/null"
since=$(now)
intrude "$reserved"
step "an intruder brings a notification with buttons" eventually asks
echo "     $(($(now) - since)) ms after it was started"
step "which says what is reserved" told "Port $reserved is reserved for docs web"
step "and who is there" told "http.server (pid $thief) listens on it."
eventually settled || true
shot intruder
read -r nx ny nw nh < <(asking)
step "the intruder is up" runs "$thief"
# Of three buttons, the first.
click_at $((nx + nw - 241)) $((ny + nh - 31))
step "a click on its Kill ends the intruder" eventually runs_not "$thief"
step "the notification is closed" eventually asks_not
step "and another one tells it" eventually told "Port $reserved is free"
step "the port is still reserved" is_reserved "$reserved" docs

sleep 1000 &
claimant=$!
"$binary" claim "$claimed" --pid "$claimant" --project docs --service api > /dev/null
step "a port is claimed for a process" is_reserved "$claimed" docs
{ kill -9 "$claimant" && wait "$claimant"; } 2> /dev/null || true
since=$(now)
step "when the process dies, that is told at once" eventually told "Port $claimed is free again"
echo "     $(($(now) - since)) ms after its end"
step "the claim is gone" eval "! is_reserved $claimed docs"
shot cleaned

intrude "$reserved"
step "another intruder brings another notification" \
  eventually told "Port $reserved is reserved for docs web" 2
step "its conflict is on top of the dropdown" open_row 1
shot conflict
step "the second intruder is up" runs "$thief"
# Kill is above Release and Ignore.
click_at $((sx + 60)) $((sy + sh - 67))
step "a click on Kill ends it" eventually runs_not "$thief"
step "the server of $other_project is still up" runs "$other"

kill "$PANEL_PID"
eventually runs_not "$PANEL_PID"
step "the app knows that the panel is gone" eventually tray_is false
xfce4-panel --disable-wm-check > "$HOME/panel.log" 2>&1 &
panel=$!
step "the icon comes back with the panel" eventually has_icon
step "and the app knows it" eventually tray_is true
shot restarted

step "the dropdown opens in the new panel" open_dropdown
read -r mx my _ mh < <(menus | head -1)
click_at $((mx + 60)) $((my + mh - 18))
step "Quit ends the app" eventually runs_not "$app"
step "and takes the icon away" eventually eval '! has_icon'
step "with exit status 0" wait "$app"
step "nothing went wrong on the way" eval '! logs "WARN\|ERROR\|panicked"'
if [ "$failed" != 0 ]; then
  cat "$HOME/freeport.log" >&2
fi
exit "$failed"
