#!/usr/bin/env bash
# Takes the pictures of the README: real servers of a developer's day in a real panel.
#
# usage: tests/desktop/pictures.sh [BINARY [SECONDS]]
#
# The servers run for SECONDS before the pictures are taken, so that they have an age. Needs node,
# redis-server and python3; shows vite if VITE is a folder with node_modules/vite in it, and flask
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
  serve 5173 node node_modules/vite/bin/vite.js --host 127.0.0.1
fi
sleep $((seconds / 2))
project docs-site main
serve 8000 python3 -m http.server 8000 --bind 127.0.0.1
cd "$HOME"

"$binary" app 2> "$HOME/freeport.log" &
started+=("$!")
eventually has_icon
# The rows come with the first look; the panel draws them when it has been told.
eventually settled
sleep 2

# crop NAME X Y WIDTH HEIGHT: keeps this part of a picture.
crop() {
  convert "$OUT/$1.png" -crop "$4x$5+$2+$3" +repage -strip -define png:exclude-chunks=date "$OUT/$1.png"
}
width=2560
margin=32

open_dropdown
read -r mx my _ mh < <(menus | head -1)
# Off the icon, which else shows its tooltip, and onto the headline, which is no button.
point $((mx + 120)) $((my + 30))
shot dropdown
crop dropdown $((mx - margin)) 0 $((width - mx + margin)) $((my + mh + margin))

point $((mx + 120)) $((my + 106))
eventually has_menus 2
read -r sx sy _ sh < <(menus | awk -v x="$mx" -v y="$my" '$1 != x || $2 != y' | head -1)
point $((sx + 120)) $((sy + sh - 36))
shot submenu
bottom=$((my + mh > sy + sh ? my + mh : sy + sh))
crop submenu $((sx - margin)) 0 $((width - sx + margin)) $((bottom + margin))

xdotool click 1
has_notification() { windows xfce4-notifyd | awk '$3 > 100' | grep -q .; }
eventually has_notification
read -r nx ny nw nh < <(windows xfce4-notifyd | awk '$3 > 100' | head -1)
shot notification
crop notification $((nx - margin)) $((ny - margin)) $((nw + 2 * margin)) $((nh + 2 * margin))
"$binary" list
