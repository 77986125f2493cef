#!/usr/bin/env bash
# Makes the tarball and tries it on the oldest distribution that can be had: what the program needs of
# glibc, that two builds of the archive are the same, and what a user does with it (tarball-user.sh).
# Without root or debootstrap, the last is done on this system, and says so.
#
# usage: tests/packages/tarball.sh [BINARY]       with a program from scripts/package-binary
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=/dev/null
. tests/packages/roots.sh
# shellcheck source=/dev/null
. scripts/package-lib.sh

failed=''
check() {
  local name=$1
  shift
  if "$@"; then echo "PASS: $name"; else
    echo "FAIL: $name"
    failed=yes
  fi
}

binary=${1:-$(scripts/package-binary)}
export FREEPORT_BINARY=$binary
archive=$(scripts/package-tarball)
once=$(sha256sum < "$archive")
archive=$(scripts/package-tarball)
check "the same files make the same archive" test "$once" = "$(sha256sum < "$archive")"
(cd "$(dirname "$archive")" && sha256sum --quiet -c "$(basename "$archive").sha256")

needs=$(glibc_of "$binary")
newest() { printf '%s\n' "$1" 2.17 | sort -V | tail -n 1; }
check "the program needs glibc $needs, and none newer than 2.17" test "$(newest "$needs")" = 2.17
clean() { ! LC_ALL=C grep -aqF -e "$PWD" -e "${CARGO_HOME:-$HOME/.cargo}" -e "$(rustc --print sysroot)" "$binary"; }
check "no path of this machine is in it" clean
bytes() { stat -c %s "$1"; }
echo "the program has $(bytes "$binary") bytes, the archive $(bytes "$archive")"
if [ -e target/release/freeport ]; then
  echo "the program that was linked on this system has $(bytes target/release/freeport) bytes"
fi

user=tests/packages/tarball-user.sh
root=''
if [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null && command -v apt-get >/dev/null; then
  from=$(mirror)
  # The oldest first: of Debian, or of Ubuntu, as the mirror has them.
  if suite=$(oldest "$from" bullseye focal bookworm jammy) && root=$(root_of "$suite" "$from" python3); then
    echo "== in a root of $suite, with $(chroot "$root" ldd --version | head -n 1)"
  fi
fi
if [ -n "$root" ]; then
  rm -rf "$root/home/test"
  mkdir -p "$root/home/test"
  cp "$archive" "$user" "$root/home/test/"
  chown -R 1000:1000 "$root/home/test"
  inside "$root" setpriv --reuid=1000 --regid=1000 --clear-groups \
    bash "/home/test/${user##*/}" "/home/test/${archive##*/}" /home/test || failed=yes
else
  echo "SKIPPED: no root of an old distribution (that needs root, debootstrap and a mirror);" \
    "the tarball is tried on this system instead" >&2
  home=$(mktemp -d)
  trap 'rm -rf "$home"' EXIT
  bash "$user" "$archive" "$home" || failed=yes
fi
[ -z "$failed" ] && echo "== the tarball passed"
