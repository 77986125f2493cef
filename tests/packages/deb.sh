#!/usr/bin/env bash
# The Debian package in a clean Debian: installed, used, upgraded and removed while the app runs, and
# purged. Prints PASS or FAIL for each step.
#
# usage: tests/packages/deb.sh [DEB]           (what scripts/package-deb makes of target/release/freeport)
#
# Debian: debootstrap dpkg-dev debhelper lintian iproute2
# shellcheck disable=SC2317 # functions are called by traps
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
# shellcheck source=tests/packages/roots.sh
. "$here/roots.sh"
# shellcheck source=tests/packages/lib.sh
. "$here/lib.sh"

if [ "$(id -u)" != 0 ]; then
  skipped "the test of the Debian package needs root, to make a system to install it in"
  exit 0
fi
for program in debootstrap dpkg-deb ip unshare; do
  if ! command -v "$program" > /dev/null; then
    skipped "the test of the Debian package needs $program"
    exit 0
  fi
done

if [ $# -gt 0 ]; then
  deb=$(realpath "$1")
else
  deb=$(FREEPORT_BINARY=target/release/freeport scripts/package-deb | tee /dev/stderr | tail -n 1)
fi
root=$PWD/target/package/root-$(release)
clean_root "$root" bash-completion dbus fish man-db python3 systemd zsh

work=$(mktemp -d "$PWD/target/package/test.XXXXXX")
# A cgroup, as the user's systemd gets one from the system's.
cgroups=()
for place in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
  if [ -e "$place/cgroup.procs" ] && mkdir "$place/freeport-$$" 2> /dev/null; then
    chown -R 1234:1234 "$place/freeport-$$"
    cgroups+=("$place/freeport-$$")
  fi
done
tidy() {
  for cgroup in "${cgroups[@]}"; do
    find "$cgroup" -depth -type d -exec rmdir {} \; 2> /dev/null || true
  done
  rm -rf --one-file-system "$work"
}
trap tidy EXIT

# The next version: the same files under a new name.
dpkg-deb -R "$deb" "$work/next"
version=$(dpkg-deb -f "$deb" Version)
sed -i "s/^Version: .*/Version: $version+test1/" "$work/next/DEBIAN/control"
dpkg-deb --root-owner-group -Zgzip -b "$work/next" "$work/next.deb" > /dev/null
cp "$deb" "$work/freeport.deb"

status=0
(
  for cgroup in "${cgroups[@]}"; do
    echo "$BASHPID" > "$cgroup/cgroup.procs"
  done
  timeout 900 unshare --mount --propagation private --pid --net --ipc --fork --kill-child \
    "$here/deb-inside.sh" "$root" "$work" "$here" "$version"
) || status=$?
exit "$status"
