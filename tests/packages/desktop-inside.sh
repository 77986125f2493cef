#!/usr/bin/env bash
# The steps of desktop.sh, where the package is installed.
#
# usage: (only desktop.sh calls it) desktop-inside.sh
# shellcheck disable=SC2317 # functions are called by traps and steps
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
if [ "${FREEPORT_DESKTOP:-}" != inside ]; then
  exec "$root/scripts/desktop" "$here/desktop-inside.sh"
fi
# shellcheck source=/dev/null
. "$root/tests/desktop/lib.sh"
# shellcheck source=tests/packages/lib.sh
. "$here/lib.sh"
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Only what the package brought, and no other program's entries.
rm -rf "$XDG_DATA_HOME/icons"
export XDG_CONFIG_DIRS=$HOME/none

pid() { freeport status --json 2> /dev/null | sed 's/.*"pid":\([0-9]*\),.*/\1/'; }
runs() { freeport status --json 2> /dev/null | grep -q '"tray":{"shown":true,'; }
# Ends the app that runs, and waits until it is gone.
ends() {
  local running
  running=$(pid)
  [ -n "$running" ] && kill "$running" && eventually not kill -0 "$running" && eventually not has_icon
}
tidy() {
  ends > /dev/null 2>&1 || true
}
trap tidy EXIT
is_packaged() { [ "$(readlink "/proc/$(pid)/exe")" = /usr/bin/freeport ]; }

step "the package is what is found" test "$(command -v freeport)" = /usr/bin/freeport
step "its desktop file is sound" desktop-file-validate /usr/share/applications/freeport.desktop
step "the app is not running" not freeport status

# The notification of a program that has the icon of this name; and then its number.
note() {
  gdbus call --session --dest org.freedesktop.Notifications --object-path /org/freedesktop/Notifications \
    --method org.freedesktop.Notifications.Notify x "${2:-0}" "$1" "The icon" "by its name" '[]' '{}' 60000 |
    grep -o '[0-9]*,' | tr -d ,
}
noted() { windows xfce4-notifyd | awk '$3 > 100 { print; found = 1; exit } END { exit !found }'; }
# How many pixels it has of the icon's colours, the sky and the sea.
coloured() {
  local x y width height
  read -r x y width height < <(noted)
  import -silent -window root -crop "${width}x$height+$x+$y" png:- |
    convert png:- -alpha off -fuzz 6% -fill '#ff00ff' -opaque '#0e8f9c' -opaque '#1a4d78' \
      -fuzz 0 -fill black +opaque '#ff00ff' -fill white -opaque '#ff00ff' -format '%[fx:round(mean*w*h)]' info:-
}
note no-such-icon > "$HOME/note"
eventually noted
eventually settled || true
without=$(coloured)
note freeport "$(cat "$HOME/note")" > /dev/null
eventually settled || true
with=$(coloured)
shot package-icon-by-name
step "the icon is found by its name ($without and $with pixels of its colour)" test "$with" -gt $((without + 100))

gtk-launch freeport > "$HOME/launched" 2>&1 || cat "$HOME/launched"
step "it starts from its desktop file, with its icon in the tray" eventually runs
step "as the program of the package" is_packaged
step "the icon is in the panel" eventually has_icon
eventually settled || true
shot package-started
first=$(pid)
again() {
  gtk-launch freeport > "$HOME/launched" 2>&1
  [ "$(pid)" = "$first" ]
}
step "a second start leaves it alone" again
step "it can be made to start at login" freeport autostart enable
step "it ends" ends

dex --autostart --environment XFCE --verbose > "$HOME/dex" 2>&1
step "it starts at login" eventually runs
step "as the program of the package, once more" is_packaged
shot package-at-login
step "it ends once more" ends

# The unit's app has no icon. Who starts the app then learns who has its place.
freeport app --headless 2> "$HOME/headless" &
headless=$!
eventually freeport status
beside() {
  local said status=0
  said=$(freeport app 2>&1) || status=$?
  echo "$said"
  [ "$status" = 5 ] && [[ $said == *"running already (pid $headless)"* ]]
}
step "beside one without a tray, it says that one runs" beside
kill "$headless"
wait "$headless" || true

dpkg --remove freeport > /dev/null
step "it is removed" not test -e /usr/bin/freeport
passes_over() {
  [ -e "$XDG_CONFIG_HOME/autostart/freeport.desktop" ] || return 1
  dex --autostart --environment XFCE > "$HOME/dex" 2>&1 || { cat "$HOME/dex"; return 1; }
  cat "$HOME/dex"
  [ ! -s "$HOME/dex" ]
}
step "at login, the entry that is left is passed over without a word" passes_over
sed -i '/^TryExec=/d' "$XDG_CONFIG_HOME/autostart/freeport.desktop"
step "which TryExec is the reason of" not passes_over

if [ "$failed" = 0 ]; then echo "== the package on a desktop: all passed"; fi
exit "$failed"
