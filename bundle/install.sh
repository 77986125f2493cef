#!/bin/sh
# Installs Freeport from the folder that this script is in, for one user and without root, and
# takes away again what it installed.
#
# usage: ./install.sh [--prefix DIR] [--force]          DIR is ~/.local when none is given
#        ./install.sh --uninstall [--prefix DIR]
#
# It writes below DIR alone and keeps a list of it in DIR/lib/freeport, with a copy of itself.
# Nothing is changed before everything was found to be possible.
set -eu
umask 022

usage() { sed -n 's/^# \{0,1\}//; 2,9p' "$0"; }
say() { printf '%s\n' "$*"; }
die() {
  printf 'error: %s\n' "$1" >&2
  if [ $# -gt 1 ]; then printf ' hint: %s\n' "$2" >&2; fi
  exit 1
}

from=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
prefix='' force='' uninstall=''
while [ $# -gt 0 ]; do
  case $1 in
    --prefix)
      if [ $# -lt 2 ]; then usage >&2; exit 2; fi
      prefix=$2
      shift
      ;;
    --prefix=*) prefix=${1#*=} ;;
    --force) force=yes ;;
    --uninstall) uninstall=yes ;;
    -h | --help) usage; exit ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
if [ -z "$prefix" ] && [ -f "$from/manifest" ]; then
  # This is the copy that stands in DIR/lib/freeport.
  prefix=${from%/lib/freeport}
fi
if [ -z "$prefix" ]; then
  if [ -z "${HOME:-}" ]; then die "no home folder is known" "give one with --prefix DIR"; fi
  prefix=$HOME/.local
fi
case $prefix in
  /*) ;;
  *) prefix=$(pwd -P)/$prefix ;;
esac
while [ "$prefix" != "${prefix%/}" ]; do prefix=${prefix%/}; done
case $prefix in
  '' | *'
'*) die "the prefix cannot be '$prefix'" "give a folder with --prefix DIR" ;;
esac

record=lib/freeport
manifest=$prefix/$record/manifest
program=$prefix/bin/freeport
config=${XDG_CONFIG_HOME:-${HOME:-/nonexistent}/.config}

# How the path of the program is written in an Exec line, in TryExec, and in a unit.
# shellcheck disable=SC2016 # sed is to see $ and backquote
exec_word=$(printf '%s' "$program" | sed -e 's/\\/\\\\\\\\/g' -e 's/["`$]/\\\\&/g' -e 's/%/%%/g')
try_word=$(printf '%s' "$program" | sed -e 's/\\/\\\\/g')
unit_word=$(printf '%s' "$program" | sed -e 's/[\\"]/\\&/g' -e 's/%/%%/g')

# The paths of one kind in the list: f for files, d for folders that were made for them.
listed() { if [ -f "$manifest" ]; then sed -n "s/^$1 //p" "$manifest"; fi; }

icons_changed() {
  if [ -f "$prefix/share/icons/hicolor/icon-theme.cache" ] && command -v gtk-update-icon-cache >/dev/null; then
    gtk-update-icon-cache -q -f "$prefix/share/icons/hicolor" 2>/dev/null || true
  fi
}

running() { "$program" status >/dev/null 2>&1; }

if [ -n "$uninstall" ]; then
  if [ ! -f "$manifest" ]; then
    say "nothing to do: Freeport was not installed below $prefix by this script"
    exit
  fi
  if [ ! -w "$prefix/$record" ]; then
    die "you may not change $prefix/$record" "uninstall as who installed it"
  fi
  if running; then say "the app still runs, until you quit it from its menu or log out"; fi
  # What starts this program at login.
  unit=$prefix/share/systemd/user/freeport.service
  for wanted in "$config"/systemd/user/*.wants/freeport.service; do
    if [ "$(readlink -- "$wanted" 2>/dev/null)" = "$unit" ]; then
      systemctl --user disable --now freeport.service >/dev/null 2>&1 || rm -f -- "$wanted"
    fi
  done
  if grep -qsFx "Exec=\"$exec_word\" app" "$config/autostart/freeport.desktop"; then
    rm -f -- "$config/autostart/freeport.desktop"
    say "it no longer starts at login"
  fi
  listed f | while IFS= read -r file; do rm -f -- "$prefix/$file" "$prefix/$file.new"; done
  folders=$(listed d)
  rm -f -- "$manifest" "$prefix/$record/install.sh"
  # Those below first; where something else is inside by now, a folder stays.
  printf '%s\n' "$folders" | sed '/^$/d; /^\//d' | LC_ALL=C sort -r |
    while IFS= read -r folder; do rmdir -- "$prefix/$folder" 2>/dev/null || true; done
  if [ "$(printf '%s\n' "$folders" | sed -n '/^\.$/p')" ]; then rmdir -- "$prefix" 2>/dev/null || true; fi
  printf '%s\n' "$folders" | sed -n '/^\//p' | LC_ALL=C sort -r |
    while IFS= read -r folder; do rmdir -- "$folder" 2>/dev/null || true; done
  if [ -d "$prefix" ]; then icons_changed; fi
  say "removed Freeport from $prefix"
  data=${XDG_DATA_HOME:-${HOME:-}/.local/share}/freeport
  if [ -e "$data" ]; then say "what it knows of your ports stays in $data; remove that too if you like"; fi
  exit
fi

if [ ! -f "$from/bin/freeport" ]; then
  die "$from has no bin/freeport" "run the install.sh of the folder that was unpacked"
fi
if ! version=$("$from/bin/freeport" --version 2>/dev/null); then
  die "the program does not run here; nothing was installed" \
    "it is for Linux with glibc 2.17 or newer, on the machine that the name of the archive tells"
fi

files=$(cd -- "$from" && find bin share -type f | LC_ALL=C sort)
folders=$(printf '%s\n' "$files" "$record/manifest" | sed 's,/[^/]*$,,' | LC_ALL=C sort -u)

# Everything that could be in the way, before anything is touched.
printf '%s\n' "$folders" | while IFS= read -r folder; do
  above=$prefix/$folder
  while [ ! -e "$above" ] && [ ! -L "$above" ]; do above=$(dirname -- "$above"); done
  if [ ! -d "$above" ]; then die "$above is in the way: it is not a folder"; fi
  if [ ! -w "$above" ] || [ ! -x "$above" ]; then
    die "you may not write to $above; nothing was installed" "choose another folder with --prefix DIR"
  fi
done
before=$(listed f)
printf '%s\n' "$files" | while IFS= read -r file; do
  if [ -d "$prefix/$file" ]; then die "$prefix/$file is in the way: it is a folder"; fi
  if [ -z "$force" ] && { [ -e "$prefix/$file" ] || [ -L "$prefix/$file" ]; } &&
    ! printf '%s\n' "$before" | grep -qFx -- "$file"; then
    die "$prefix/$file is there already, and not from this script; nothing was installed" \
      "remove it, or replace it with --force"
  fi
done
was_running=''
if running; then was_running=yes; fi

# The list says a path below the prefix without it, so that a home can be renamed.
made=$(listed d)
make_folder() {
  if [ -d "$1" ]; then return; fi
  make_folder "$(dirname -- "$1")"
  mkdir -- "$1"
  case $1 in
    "$prefix") made="$made
." ;;
    "$prefix"/*) made="$made
${1#"$prefix"/}" ;;
    *) made="$made
$1" ;;
  esac
}
while IFS= read -r folder; do make_folder "$prefix/$folder"; done <<LIST
$folders
LIST

# Written first, so that what a full disk leaves half done can be taken away again.
write_manifest() {
  {
    printf '%s\n' "$1" | sed '/^$/d; s/^/f /'
    printf '%s\n' "$made" | sed '/^$/d; s/^/d /'
  } | LC_ALL=C sort -u > "$manifest.new"
  mv -f -- "$manifest.new" "$manifest"
}
write_manifest "$files
$before"

# What says where the program is, says the place that it has now.
adapted() {
  EXEC=$exec_word TRY=$try_word UNIT=$unit_word awk '
    /^TryExec=/ { print "TryExec=" ENVIRON["TRY"]; next }
    /^Exec=/ { sub(/^Exec=[^ ]*/, ""); print "Exec=\"" ENVIRON["EXEC"] "\"" $0; next }
    /^Exec[A-Z][A-Za-z]*=\/usr\/bin\/freeport/ {
      key = $0; sub(/=.*/, "", key); sub(/^[^=]*=\/usr\/bin\/freeport/, "")
      print key "=\"" ENVIRON["UNIT"] "\"" $0; next
    }
    { print }' "$1"
}
printf '%s\n' "$files" | while IFS= read -r file; do
  # Renamed into place: a program that runs cannot be written to.
  draft=$prefix/$file.new
  rm -f -- "$draft"
  case $file in
    *.desktop | *.service) adapted "$from/$file" > "$draft" ;;
    *) cp -- "$from/$file" "$draft" ;;
  esac
  case $file in
    bin/*) chmod 755 "$draft" ;;
    *) chmod 644 "$draft" ;;
  esac
  mv -f -- "$draft" "$prefix/$file"
done
cp -- "$from/install.sh" "$prefix/$record/install.sh.new"
chmod 755 "$prefix/$record/install.sh.new"
mv -f -- "$prefix/$record/install.sh.new" "$prefix/$record/install.sh"

# What an older version had, and this one has no more.
printf '%s\n' "$before" | while IFS= read -r file; do
  if [ -n "$file" ] && ! printf '%s\n' "$files" | grep -qFx -- "$file"; then rm -f -- "$prefix/$file"; fi
done
write_manifest "$files"
icons_changed

say "installed $version below $prefix: the program, manual pages, completions, desktop entry, icons, a systemd user unit"
case :$PATH: in
  *:"$prefix/bin":*)
    found=$(command -v freeport || true)
    if [ "$found" != "$program" ]; then say "note: 'freeport' in your shell is another one: $found"; fi
    ;;
  *)
    say "note: your PATH does not have $prefix/bin; add this to ~/.profile, and log in again:"
    # shellcheck disable=SC2016 # for the shell that reads it later
    say "  PATH=\"$(printf '%s' "$prefix" | sed 's/[\\"$`]/\\&/g')/bin:\$PATH\""
    ;;
esac
if [ -n "$was_running" ]; then say "note: the app that runs is the one from before; quit it and start it again"; fi
say "to take it away again: $prefix/$record/install.sh --uninstall"
