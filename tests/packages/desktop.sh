#!/usr/bin/env bash
# The Debian package on a desktop: in the panel by the icon of its theme, started from its desktop
# file, and at login from its autostart entry. On a copy of this machine, so that nothing of it stays.
# Prints PASS or FAIL for each step and leaves pictures in $OUT.
#
# usage: tests/packages/desktop.sh [DEB]       (what scripts/package-deb makes of target/release/freeport)
#
# Debian: what scripts/desktop needs, dpkg-dev debhelper dex gtk-launch (libgtk-3-bin)
# shellcheck disable=SC2317 # functions are called by traps and steps
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
export OUT=${OUT:-$root/target/desktop}
# shellcheck source=tests/packages/lib.sh
. "$here/lib.sh"

if [ "${FREEPORT_DESKTOP:-}" != inside ]; then
  if [ "$(id -u)" != 0 ]; then
    skipped "the package on a desktop needs root, to install it on a copy of this machine"
    exit 0
  fi
  for program in Xvfb dbus-run-session xfce4-panel xdotool scrot import gtk-launch dex dpkg-deb; do
    if ! command -v "$program" > /dev/null; then
      skipped "the package on a desktop needs $program"
      exit 0
    fi
  done
  if [ $# -gt 0 ]; then
    deb=$(realpath "$1")
  else
    cd "$root"
    deb=$(FREEPORT_BINARY=target/release/freeport scripts/package-deb | tee /dev/stderr | tail -n 1)
  fi
  mkdir -p "$OUT"
  work=$(mktemp -d "${TMPDIR:-/tmp}/freeport-copy.XXXXXX")
  trap 'rmdir "$work"' EXIT
  # The copy is an overlay that is gone with its namespace; pictures go to the machine itself.
  status=0
  # shellcheck disable=SC2016 # for the inner shell
  unshare --mount --propagation private --pid --fork --kill-child bash -euc '
    work=$1 deb=$2 test=$3
    mount -t tmpfs tmpfs "$work"
    mkdir "$work/upper" "$work/work" "$work/all"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/all" || exit 77
    for place in /sys /dev "$OUT"; do
      mount --rbind "$place" "$work/all$place"
    done
    mount -t proc proc "$work/all/proc"
    mount -t tmpfs -o mode=1777 tmpfs "$work/all/tmp"
    cp "$deb" "$work/all/tmp/freeport.deb"
    chroot "$work/all" dpkg --install /tmp/freeport.deb
    exec chroot "$work/all" env TMPDIR=/tmp "$test"
  ' copy "$work" "$deb" "$here/desktop-inside.sh" || status=$?
  if [ "$status" = 77 ]; then
    skipped "the package on a desktop needs an overlay, which cannot be mounted here"
    exit 0
  fi
  exit "$status"
fi
