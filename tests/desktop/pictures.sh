#!/usr/bin/env bash
# Takes the pictures of the README: real servers of a developer's day in a real panel.
#
# usage: tests/desktop/pictures.sh [BINARY [SECONDS]]
#
# The servers run for SECONDS before the pictures are taken, so that they have an age. Needs node,
# redis-server, python3 and xterm; shows vite if VITE is a folder with node_modules/vite in it, and flask
# if python3 has it.
# shellcheck disable=SC2317 # functions are called by traps and by other functions
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
binary=$(realpath "${1:-$root/target/release/freeport}")
seconds=${2:-0}
export OUT=${OUT:-$root/docs/images}
mkdir -p "$OUT"
if [ "${FREEPORT_DESKTOP:-}" != inside ]; then
  export FREEPORT_SCALE=2
  exec "$root/scripts/desktop" "$here/pictures.sh" "$binary" "$seconds"
fi
# shellcheck source=/dev/null
. "$here/lib.sh"

started=()
ends_all() {
  for pid in "${started[@]}"; do
    { kill "$pid" && wait "$pid"; } 2> /dev/null || true
  done
}
trap ends_all EXIT

# project NAME BRANCH: a folder with a manifest and a branch, which becomes the current one.
project() {
  mkdir -p "$HOME/$1"
  cd "$HOME/$1"
  git init --quiet --initial-branch "$2"
  echo "{\"name\": \"$1\", \"type\": \"commonjs\"}" > package.json
}
# serve PORT COMMAND…: starts a server, and waits until it listens.
serve() {
  local port=$1
  shift
  "$@" > "$HOME/$port.log" 2>&1 &
  started+=("$!")
  eventually listens "$port"
}
listens() { "$binary" list --json | grep -q "\"port\":$1,"; }

project shop checkout
cat > server.js << 'JS'
require('http').createServer((_, reply) => reply.end('shop\n')).listen(3000, '127.0.0.1');
JS
serve 3000 node server.js
cd "$HOME"
serve 6379 redis-server --port 6379 --bind 127.0.0.1 --save ''
sleep $((seconds / 2))
if python3 -c 'import flask' 2> /dev/null; then
  project api main
  echo 'from flask import Flask; app = Flask(__name__)' > app.py
  serve 5000 python3 -m flask run --port 5000
fi
if [ -n "${VITE:-}" ]; then
  project storefront main
  cp -r "$VITE/node_modules" .
  echo '<h1>storefront</h1>' > index.html
  serve 5173 "$binary" run --service web -- node node_modules/vite/bin/vite.js --host 127.0.0.1
fi
sleep $((seconds / 2))
project docs-site main
serve 8000 python3 -m http.server 8000 --bind 127.0.0.1
cd "$HOME"

"$binary" app 2> "$HOME/freeport.log" &
started+=("$!")
eventually has_icon
reserve() { "$binary" reserve "$1" --project "$2" "${@:3}" > /dev/null; }
reserve 3000 shop --service web
reserve 5000 api
# A port that is kept for later.
reserve 9000 shop --service queue --hold
# A claim that has been there for a while, and is held until its owner starts to listen.
cd "$HOME/shop"
node -e 'setInterval(() => {}, 1e6)' &
claimant=$!
started+=("$claimant")
cd "$HOME"
"$binary" claim 3001 --pid "$claimant" --project shop --service api --ttl 53m --hold > /dev/null
# The rows come with the first look; the panel draws them when it has been told.
eventually settled
sleep 2

# crop NAME X Y WIDTH HEIGHT: keeps this part of a picture.
crop() {
  convert "$OUT/$1.png" -crop "$4x$5+$2+$3" +repage -strip -define png:exclude-chunks=date "$OUT/$1.png"
}
width=2560
margin=32

# dropdown: opens it, and says where it is in mx, my and mh.
dropdown() {
  open_dropdown
  read -r mx my _ mh < <(menus | head -1)
  # Off the icon, which else shows its tooltip, and onto the headline, which is no button.
  point $((mx + 120)) $((my + 30))
  eventually settled || true
}
# below Y: opens the submenu of the entry that far down, and says where it is in sx, sy and sh.
below() {
  point $((mx + 120)) $((my + $1))
  eventually has_menus 2
  read -r sx sy _ sh < <(menus | awk -v x="$mx" -v y="$my" '$1 != x || $2 != y' | head -1)
}
# all NAME: a picture of the dropdown with its submenus.
all() {
  shot "$1"
  local left bottom
  read -r left bottom < <(menus | awk '
    NR == 1 || $1 < left { left = $1 }
    $2 + $4 > bottom { bottom = $2 + $4 }
    END { print left, bottom }')
  crop "$1" $((left - margin)) 0 $((width - left + margin)) $((bottom + margin))
}
# notes LEAST MOST: the notifications that are so high.
notes() { windows xfce4-notifyd | awk -v least="$1" -v most="$2" '$3 > 100 && $4 >= least && $4 <= most'; }
noted() { notes "$@" | grep -q .; }
noted_not() { ! noted "$@"; }
# note NAME LEAST MOST: a picture of the notification that is so high.
note() {
  eventually noted "$2" "$3"
  eventually settled || true
  local nx ny nw nh
  read -r nx ny nw nh < <(notes "$2" "$3" | head -1)
  shot "$1"
  crop "$1" $((nx - margin)) $((ny - margin)) $((nw + 2 * margin)) $((nh + 2 * margin))
}
# With buttons, they are higher.
plain=(0 180) buttons=(200 400)
# Where `freeport run` is shown: a shell in a terminal, in which somebody types. It stands away from
# the panel, whose menus are open.
if command -v xterm > /dev/null; then
  project admin main
  cat > server.js << 'JS'
const server = require('http').createServer((_, reply) => reply.end('admin\n'));
server.listen(3000, '127.0.0.1', () => console.log(`admin listens on ${server.address().port}`));
JS
  # Without a window manager, who types is heard where the pointer is.
  PATH="$(dirname "$binary"):$PATH" PS1='\w $ ' xterm -class Terminal -geometry 76x6+120+240 -b 20 \
    -bw 0 -fa 'DejaVu Sans Mono' -fs 19 -bg '#fbfaf8' -fg '#2e3436' +sb -uc \
    -e bash --norc --noprofile -i 2> /dev/null &
  started+=("$!")
  cd "$HOME"
  terminals() { windows Terminal | grep .; }
  eventually terminals > /dev/null
  read -r tx ty tw th < <(terminals)
  point $((tx + tw - 40)) $((ty + th - 40))
  eventually settled
  xdotool type --delay 20 'freeport run -- node server.js'
  xdotool key Return
  # The other one that is here now listens on 3000, and 3001 is held for the claim.
  eventually listens 3002
  eventually settled || true
  shot run
  crop run $((tx - margin)) $((ty - margin)) $((tw + 2 * margin)) $((th + 2 * margin))
  xdotool key ctrl+c
  listens_not() { ! listens "$1"; }
  eventually listens_not 3002
  xdotool key ctrl+d
  gone() { ! terminals > /dev/null; }
  eventually gone
  eventually settled
else
  echo "SKIPPED: there is no xterm for the picture of freeport run" >&2
fi
# The first row, and how far it is from one to the next; a line between them is 2 more.
first=84 row=50

dropdown
shot dropdown
crop dropdown $((mx - margin)) 0 $((width - mx + margin)) $((my + mh + margin))

below $first
# The last entry: Kill.
point $((sx + 120)) $((sy + sh - 36))
all submenu
point $((mx + 120)) $((my + 30))
eventually eval '! has_menus 2'

# After a line, and before four more entries at the end.
below $((mh - 36 - 4 * row))
# The second of them, which is claimed.
point $((sx + 120)) $((sy + 36 + row))
eventually has_menus 3
all reservations
xdotool key Escape Escape Escape
eventually has_no_menu

dropdown
below $first
click_at $((sx + 120)) $((sy + sh - 36))
note notification "${plain[@]}"
# So that the next one stands alone.
sleep 9
eventually noted_not "${plain[@]}"

# Somebody thinks that 3000 is free.
cd "$HOME/docs-site"
python3 -m http.server 3000 --bind 127.0.0.1 > /dev/null 2>&1 &
started+=("$!")
note intruder "${buttons[@]}"
dropdown
below $first
# Kill, above Release and Ignore.
point $((sx + 120)) $((sy + sh - 36 - 2 * row))
all conflict
xdotool key Escape Escape
eventually has_no_menu

{ kill -9 "$claimant" && wait "$claimant"; } 2> /dev/null || true
note cleanup "${plain[@]}"
"$binary" list
"$binary" query
