#!/usr/bin/env bash
# What a user does with the tarball, step by step: unpacks, installs, uses and removes it, in a home
# with blanks and letters that are not ASCII. Run by tarball.sh, in a root of an old distribution when
# there is one; it needs bash, python3 and what every distribution has.
#
# usage: tests/packages/tarball-user.sh ARCHIVE FOLDER      a new home is made in FOLDER
set -uo pipefail
archive=$(realpath -- "$1")
failed=''
pass() { echo "PASS: $1"; }
fail() {
  echo "FAIL: $1"
  failed=yes
}
# step NAME COMMAND…: passes when the command does; what it said is shown otherwise.
step() {
  local name=$1 said
  shift
  if said=$("$@" 2>&1); then pass "$name"; else
    fail "$name"
    printf '%s\n' "$said" | sed 's/^/  | /'
  fi
}
# soon COMMAND…: until it succeeds; only what hangs takes a minute.
soon() {
  local end=$((SECONDS + 60))
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "this did not come true: $*"
      return 1
    fi
    python3 -c 'import select; select.select([], [], [], 0.05)'
  done
}
# refused STATUS TEXT COMMAND…: ends with that status and says that.
refused() {
  local status=$1 text=$2 said
  shift 2
  said=$("$@" 2>&1)
  local was=$?
  if [ "$was" != "$status" ] || ! grep -qF -- "$text" <<<"$said"; then
    printf 'status %s: %s\n' "$was" "$said"
    return 1
  fi
}
has() { grep -qF -- "$2" "$1"; }
# Everything below a folder: names, modes, links, contents.
all_of() {
  (cd "$1" && find . -printf '%p %m %y %l\n' | sort && find . -type f -exec sha256sum {} + | sort)
}
same() { diff <(echo "$1") <(echo "$2"); }

export HOME="$2/Zoë Groß 100% 家"
mkdir -p "$HOME/run" "$HOME/Ablage für Programme"
chmod 700 "$HOME/run"
export XDG_RUNTIME_DIR="$HOME/run" LANG=C.UTF-8
unset XDG_DATA_HOME XDG_CONFIG_HOME FREEPORT_DATA_DIR FREEPORT_RUNTIME_DIR DISPLAY WAYLAND_DISPLAY
cd "$HOME/Ablage für Programme" || exit 1
tar -xzf "$archive" || exit 1
tree=$(echo "$PWD"/freeport-*)
mine=$HOME/.local
program=$mine/bin/freeport
before=$(all_of "$HOME")

# What is in the way.
if [ "$(id -u)" != 0 ]; then
  step "a prefix that is not writable is refused" refused 1 "you may not write to /usr" "$tree/install.sh" --prefix /usr
fi
mkdir "$HOME/other" && touch "$HOME/other/bin"
step "a file where a folder must be is refused" refused 1 "is not a folder" "$tree/install.sh" --prefix "$HOME/other"
rm -r "$HOME/other"
mkdir -p "$mine/bin" && echo '#!/bin/sh' > "$program"
step "somebody's own freeport is not replaced" refused 1 "not from this script" "$tree/install.sh"
step "and stays as it was" test "$(cat "$program")" = '#!/bin/sh'
rm -r "$mine"
step "wrong arguments are refused" refused 2 "usage:" "$tree/install.sh" --nonsense
step "after all that, nothing was changed" same "$before" "$(all_of "$HOME")"

# Installing.
step "it installs below ~/.local, and says that PATH lacks it" refused 0 "your PATH does not have" "$tree/install.sh"
if [ ! -x "$program" ]; then exit 1; fi
first=$(all_of "$mine")
step "it installs again" "$tree/install.sh"
step "which changes nothing" same "$first" "$(all_of "$mine")"
PATH=$mine/bin:$PATH
silent() {
  local said
  said=$("$tree/install.sh") && ! grep PATH <<<"$said"
}
step "with the PATH set, it says nothing of it" silent
step "the program is found" test "$(command -v freeport)" = "$program"
step "the desktop entry names it" has "$mine/share/applications/freeport.desktop" "Exec=\"${program//%/%%}\""
step "and says where it must be" has "$mine/share/applications/freeport.desktop" "TryExec=$program"
step "the unit names it" has "$mine/share/systemd/user/freeport.service" "ExecStart=\"${program//%/%%}\" app --headless"
# shellcheck source=/dev/null
completed() { . "$mine/share/bash-completion/completions/freeport" && complete -p freeport; }
step "the completions are taken by bash" completed
manual() { zcat "$mine/share/man/man1/freeport.1.gz" | grep -q 'allocate'; }
step "the manual is there" manual
for icon in 22x22/apps/freeport.png scalable/apps/freeport.svg; do
  step "the icon $icon is there" test -s "$mine/share/icons/hicolor/$icon"
done

# Using it. The ports are free: this is a network of its own, or the ports are asked for.
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
serve='import http.server, os; http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), http.server.BaseHTTPRequestHandler).serve_forever()'
first=$(port)
PORT=$first python3 -c "$serve" &
server=$!
listed() { freeport list "$1" --json | grep -q "\"pid\": *$2\b"; }
step "list shows a server, and whose it is" soon listed "$first" "$server"
step "kill frees its port" freeport kill "$first"
step "which is so" refused 3 "" freeport list "$first"

second=$(port)
freeport run --port "$second" -- python3 -c "$serve" > run.log 2>&1 &
wrapper=$!
answers() { python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)' "$1"; }
step "run starts a server on the port that it holds" soon answers "$second"
step "list shows that" freeport list "$second"
kill -TERM "$wrapper"
wait "$wrapper"
step "and ends with it" refused 1 "refused" answers "$second"

third=$(port)
freeport app --headless > app.log 2>&1 &
app=$!
step "the app runs without a desktop" soon freeport status
step "a claim is taken" freeport claim "$third" --project shop --service web
step "and refuses the next" refused 5 "shop" freeport claim "$third" --project blog
step "an installation while it runs says that it is the old one" refused 0 "the one from before" "$tree/install.sh"
step "the app answers on" freeport status
freeport autostart enable >/dev/null
entry=$HOME/.config/autostart/freeport.desktop
step "it starts at login" has "$entry" "TryExec=$program"

# What 'systemctl --user enable' makes, where no systemd is.
wants=$HOME/.config/systemd/user/default.target.wants
mkdir -p "$wants"
ln -s "$mine/share/systemd/user/freeport.service" "$wants/freeport.service"

# An update, which lacks a file that there was.
cp -r "$tree" "$HOME/newer"
rm "$HOME/newer/share/doc/freeport/ci.md"
echo new > "$HOME/newer/share/doc/freeport/news.md"
step "an update installs" "$HOME/newer/install.sh"
step "what it has no more is gone" test ! -e "$mine/share/doc/freeport/ci.md"
step "what is new is there" test -e "$mine/share/doc/freeport/news.md"

# Away with it, while the app runs, by the script that it left.
rm -r "$HOME/newer"
step "uninstalling says that the app still runs" refused 0 "still runs" "$mine/lib/freeport/install.sh" --uninstall
step "the program is gone" test ! -e "$program"
step "it no longer starts at login" test ! -e "$entry"
step "nor by systemd" test ! -L "$wants/freeport.service"
kill -TERM "$app"
wait "$app"
step "what it knew of ports is left alone" test -s "$mine/share/freeport/freeport.db"
rm -r "$mine/share/freeport" run.log app.log "$HOME/run/freeport"
rmdir -p "$mine/share" 2>/dev/null
rm -r "$HOME/.config"
step "nothing else is left" same "$before" "$(all_of "$HOME")"
step "uninstalling again does nothing" refused 0 "nothing to do" "$tree/install.sh" --uninstall

step "a prefix of one's own, several folders deep" "$tree/install.sh" --prefix "$HOME/a b/c/d"
step "works" "$HOME/a b/c/d/bin/freeport" list
step "and goes with all of them" "$HOME/a b/c/d/lib/freeport/install.sh" --uninstall
step "without a trace" same "$before" "$(all_of "$HOME")"
[ -z "$failed" ]
