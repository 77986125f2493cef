# shellcheck shell=bash
# What scripts that run inside scripts/desktop share: the mouse, the windows, pictures of them.
#
# The panel draws its icons and menus in windows of the class "wrapper".

# Does a command until it succeeds, for at most ten seconds.
eventually() {
  local end=$((SECONDS + 10))
  until "$@"; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "waited in vain: $*" >&2
      return 1
    fi
    sleep 0.05
  done
}

# geometry WINDOW: its place and size, as "X Y WIDTH HEIGHT".
geometry() {
  local X=0 Y=0 WIDTH=0 HEIGHT=0
  eval "$(xdotool getwindowgeometry --shell "$1" 2>/dev/null)"
  echo "$X $Y $WIDTH $HEIGHT"
}

# The windows of a class that are shown, as "X Y WIDTH HEIGHT".
windows() {
  local window
  for window in $(xdotool search --onlyvisible --class "$1" 2>/dev/null); do
    geometry "$window"
  done
}

# The icon, which is as high as the panel.
icon() {
  windows wrapper |
    awk -v scale="${GDK_SCALE:-1}" '$3 > 20 && $4 <= 40 * scale { print; found = 1; exit } END { exit !found }'
}

# The open menus.
menus() { windows wrapper | awk -v scale="${GDK_SCALE:-1}" '$3 > 80 * scale && $4 > 40 * scale'; }

has_menus() { [ "$(menus | wc -l)" -ge "$1" ]; }
has_no_menu() { [ "$(menus | wc -l)" = 0 ]; }
has_icon() { icon > /dev/null; }

# Moves the pointer as a hand does, and clicks the button.
point() { xdotool mousemove "$1" "$2" sleep 0.05 mousemove_relative 1 1; }
click_at() { point "$1" "$2"; sleep 0.15; xdotool click 1; }

# Opens the dropdown with a left click on the icon.
open_dropdown() {
  local x y width height
  read -r x y width height < <(icon) || return 1
  click_at $((x + width / 2)) $((y + height / 2))
  eventually has_menus 1
}

# Whether what is on the screen has not changed for a moment.
settled() {
  local before after
  before=$(import -silent -window root rgba:- | cksum)
  sleep 0.15
  after=$(import -silent -window root rgba:- | cksum)
  [ "$before" = "$after" ]
}

# shot NAME: a picture of the whole screen in $OUT.
shot() {
  eventually settled || true
  scrot --overwrite "$OUT/$1.png"
}
