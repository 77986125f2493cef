#!/usr/bin/env bash
# The steps of deb.sh, in namespaces of their own: nothing of them outlives this script.
#
# usage: (only deb.sh calls it) deb-inside.sh ROOT WORK HERE VERSION
# shellcheck disable=SC2317 # functions are called by steps
set -euo pipefail
lower=$1 work=$2 here=$3 version=$4
# shellcheck source=tests/packages/lib.sh
. "$here/lib.sh"

mount -t proc proc /proc
ip link set lo up
root=$work/root
mkdir "$root"
mount -t tmpfs tmpfs "$root"
mkdir "$root/upper" "$root/work" "$root/all"
if mount -t overlay overlay -o "lowerdir=$lower,upperdir=$root/upper,workdir=$root/work" "$root/all" 2> /dev/null; then
  root=$root/all
else
  umount "$root"
  cp -a --reflink=auto "$lower/." "$root"
fi
mount -t proc proc "$root/proc"
for place in sys dev; do
  mount --rbind "/$place" "$root/$place"
done
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
cp "$work"/*.deb "$here/typing.py" "$root/tmp/"

home='/home/jürgen müller'
user=1234
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
inside useradd --uid "$user" --create-home --home-dir "$home" tester
inside useradd --create-home other
mkdir -p "$root/run/systemd/system" "$root/run/user"
install -d -m 700 -o "$user" -g "$user" "$root/run/user/$user"
# as COMMAND…: the user, in their home.
as() {
  inside setpriv --reuid "$user" --regid "$user" --clear-groups \
    env -C "$home" HOME="$home" USER=tester XDG_RUNTIME_DIR="/run/user/$user" \
    DBUS_SESSION_BUS_ADDRESS="unix:path=/run/user/$user/bus" MANPAGER=cat "$@"
}
# All files of the system with what they are, but those that apt, dpkg and ldconfig keep for themselves,
# and the index of the manual.
files() {
  (cd "$root" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp \
    -o -path ./home -o -path ./var/cache -o -path ./var/log -o -path './var/lib/dpkg/*' -o -path ./var/lib/apt \) \
    -prune -o -printf '%y %m %U %p %l\n' | sort)
}
homes() {
  (cd "$root/home" && find . -type f ! -name '*.db-wal' ! -name '*.db-shm' -exec sha256sum {} + | sort -k 2)
}

before=$work/before after=$work/after
files > "$before"

# ---- install ------------------------------------------------------------------------------------
installs() { inside apt-get install -y --no-install-recommends "$1"; }
nobody_runs() { not pgrep_freeport; }
pgrep_freeport() {
  local exe
  for exe in /proc/[0-9]*/exe; do
    case $(readlink "$exe" 2> /dev/null) in */usr/bin/freeport*) return 0 ;; esac
  done
  return 1
}
step "it installs, with nothing from the network" installs /tmp/freeport.deb
step "it is whole" inside dpkg --verify freeport
step "nothing runs after that" nobody_runs
homes_are_empty() { [ -z "$(find "$root/home" -name '*freeport*' -print -quit)" ]; }
step "nothing is in any home after that" homes_are_empty
step "nothing is switched on" not inside sh -c 'find /etc -name "*freeport*" | grep .'

# ---- list and run -------------------------------------------------------------------------------
mkdir -p "$root$home/shöp project/.git"
echo 'ref: refs/heads/main' > "$root$home/shöp project/.git/HEAD"
chown -R "$user:$user" "$root$home"
as env -C "$home/shöp project" python3 -u -m http.server 0 --bind 127.0.0.1 > "$work/server" 2>&1 &
serves() { grep -q ' port [0-9]' "$1"; }
step "a server starts" eventually serves "$work/server"
port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$work/server" | head -n 1)
lists() {
  local said
  said=$(as freeport list "$port")
  echo "$said"
  grep -q 'http.server.*shöp project' <<< "$said"
}
step "list shows it with its project" lists
as env -C "$home/shöp project" freeport run -q -- python3 -u -m http.server '{port}' --bind 127.0.0.1 > "$work/run" 2>&1 &
step "run starts one on a port that is held" eventually serves "$work/run"
held=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$work/run" | head -n 1)
answers() { as python3 -c "import urllib.request as r; print(r.urlopen('http://127.0.0.1:$1/').status)" | grep -x 200; }
step "which answers" answers "$held"

# ---- the manual and completions ------------------------------------------------------------------
manual() { as man freeport | grep -q '^EXIT STATUS' && as man freeport-config-set | grep -q '^FREEPORT-CONFIG-SET(1)'; }
step "man finds the pages" manual
clean() {
  local page said=
  for page in "$root"/usr/share/man/man1/freeport*.1.gz; do
    said+=$(as man --warnings -E UTF-8 -l -Tutf8 -Z "${page#"$root"}" 2>&1 > /dev/null)
  done
  echo "$said"
  [ -z "$said" ]
}
step "and has no warning about any" clean
pages() {
  local verb verbs
  verbs=$(inside freeport --help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
  [ "$(wc -w <<< "$verbs")" -gt 20 ]
  for verb in $verbs; do
    inside man -w "freeport-$verb" || return 1
  done
}
step "there is one for every command" pages
step "whatis knows them" inside sh -c 'mandb -q; whatis freeport-run freeport-kill'
for shell in bash zsh fish; do
  step "$shell completes commands and options" as python3 /tmp/typing.py "$shell" 'freeport lis\t--js\t\r' '{"scanned_at"'
done

# ---- the unit -----------------------------------------------------------------------------------
step "the unit is sound" as systemd-analyze verify --user --man=no /usr/lib/systemd/user/freeport.service
as /lib/systemd/systemd --user --log-target=console > "$work/systemd" 2>&1 &
systemd=$!
if eventually as systemctl --user list-units 2> /dev/null; then
  main_pid() { as systemctl --user show -P MainPID freeport; }
  app_is() { as freeport status --json | grep -q "\"pid\":$(main_pid),"; }
  is_off() { [ "$(as systemctl --user is-enabled freeport)" = disabled ]; }
  step "the user's systemd knows it, switched off" is_off
  step "it is switched on and started" as systemctl --user enable --now freeport
  step "the app answers" eventually app_is
  places() {
    [ "$(stat -c '%a %u' "$root/run/user/$user/freeport")" = "700 $user" ] &&
      [ -S "$root/run/user/$user/freeport/freeport.sock" ] &&
      as freeport claim 41973 --project shop --ttl 1h && [ -e "$root$home/.local/share/freeport/freeport.db" ]
  }
  step "its socket and its data are where they belong" places
  second() {
    local said
    said=$(as freeport app 2>&1) && return 1
    [ $? = 5 ] && echo "$said" && [[ $said == *"running already (pid $(main_pid))"* ]]
  }
  step "an app that is started beside it says who runs, with status 5" second
  step "and the unit goes on" app_is
  died=$(main_pid)
  kill -9 "$died"
  comes_back() { [ "$(main_pid)" != "$died" ] && [ "$(main_pid)" != 0 ] && app_is; }
  step "killed, it is started again" eventually comes_back
  step "and knows what it knew" as sh -c 'freeport query 41973 | grep shop'
  step "it stops" as systemctl --user stop freeport
  step "and leaves no socket" not test -e "$root/run/user/$user/freeport/freeport.sock"
  as freeport app --headless 2> "$work/app" &
  app=$!
  by_hand() { as freeport status; }
  step "an app is started by hand" eventually by_hand
  yields() {
    as systemctl --user start freeport
    eventually is_over
    as systemctl --user show -P Result freeport | grep -x success
  }
  is_over() { as systemctl --user is-active freeport | grep -x inactive; }
  step "the unit that finds it there gives way, without a failure" yields
  as freeport status --json | sed 's/.*"pid":\([0-9]*\),.*/\1/' > "$work/pid"
  kill "$(cat "$work/pid")"
  wait "$app" || true
  as systemctl --user start freeport
else
  skipped "no systemd of the user can be started here: $(tail -n 1 "$work/systemd")"
  as freeport app --headless 2> "$work/app" &
fi
step "the app runs" eventually as freeport status

# ---- at login, and a /usr that cannot be written --------------------------------------------------
step "it can be made to start at login" as freeport autostart enable
entry="$root$home/.config/autostart/freeport.desktop"
names_it() { grep -x 'TryExec=/usr/bin/freeport' "$entry" && grep -x 'Exec="/usr/bin/freeport" app' "$entry"; }
step "by an entry that names the program twice" names_it
# Whether the user's systemd would start the entry at login, as it does for desktops.
generator=/usr/lib/systemd/user-generators/systemd-xdg-autostart-generator
at_login() {
  as rm -rf /tmp/units && as mkdir /tmp/units && as env XDG_CURRENT_DESKTOP=XFCE "$generator" /tmp/units /tmp/units /tmp/units
  find "$root/tmp/units" -name '*freeport*' | grep .
}
step "systemd would start it at login" at_login
read_only() {
  mount --bind "$root/usr" "$root/usr" && mount -o remount,bind,ro "$root/usr" &&
    not touch "$root/usr/bin/x" && as freeport list && as freeport claim 41974 --project shop --ttl 1h &&
    as freeport run -q -- true && as freeport release 41974 && as freeport autostart status
}
step "it works with a read-only /usr" read_only
umount "$root/usr"

# ---- upgrade and removal while it runs ------------------------------------------------------------
running=$(as freeport status --json | sed 's/.*"pid":\([0-9]*\),.*/\1/')
step "it is upgraded while the app and a command of run are running" installs /tmp/next.deb
is_next() { inside dpkg -s freeport | grep -x "Version: $version+test1"; }
step "to the next version" is_next
was_replaced() { readlink "/proc/$running/exe" | grep 'freeport (deleted)$'; }
step "the app is the old one still" was_replaced
step "and answers the new command" as freeport status
step "the server of run answers" answers "$held"
step "what was claimed is known" as sh -c 'freeport query 41973 | grep shop'
step "it still starts at login" as sh -c 'freeport autostart status | grep "Freeport starts at login"'
if [ -n "${app:-}" ]; then
  step "the unit starts the new one" as systemctl --user restart freeport
  step "which answers" eventually app_is
  running=$(main_pid)
fi
homes > "$work/homes"
step "it is removed while they run" inside apt-get remove -y freeport
step "the program is gone" not test -e "$root/usr/bin/freeport"
step "the app has not ended yet" kill -0 "$running"
step "the server of run answers" answers "$held"
step "at login, systemd passes over the entry that is left" not at_login
if [ -n "${app:-}" ]; then
  step "the running app is ended by its unit" as systemctl --user stop freeport
  reloads() {
    as systemctl --user daemon-reload && as systemctl --user start default.target &&
      [ "$(as systemctl --user --failed --no-legend | wc -l)" = 0 ]
  }
  step "and the unit that was switched on is no failure" reloads
fi
kill "$running" 2> /dev/null || true
if kill "$systemd" 2> /dev/null; then wait "$systemd" || true; fi
step "the last of it is purged" inside dpkg --purge freeport
comes_and_goes() { installs /tmp/freeport.deb && inside apt-get purge -y freeport; }
step "it is installed again, and purged at once" comes_and_goes
homes > "$work/homes-after"
step "homes are as they were" diff "$work/homes" "$work/homes-after"
inside mandb -q > /dev/null 2>&1 || true
files > "$after"
step "nothing of it is left in the system" diff "$before" "$after"

if [ "$failed" = 0 ]; then echo "== the Debian package: all passed"; fi
exit "$failed"
