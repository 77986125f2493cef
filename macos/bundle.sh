#!/bin/sh
# Makes Freeport.app of a binary. What system it is for does not matter here, and neither does the
# system that this runs on: it only lays files out. Signing is scripts/sign-macos.
#
# usage: macos/bundle.sh BINARY OUT.app [PROGRAM]
#
# PROGRAM is a freeport that can be started here, and is asked for the manual pages and completions;
# without it that is BINARY.
set -eu
export LC_ALL=C
umask 022

fail() {
  echo "bundle.sh: $1" >&2
  exit "${2:-1}"
}

[ $# = 2 ] || [ $# = 3 ] || fail "usage: macos/bundle.sh BINARY OUT.app [PROGRAM]" 2
binary=$1 out=${2%/} program=${3:-$1}
[ -f "$binary" ] || fail "there is no file $binary" 2
# It is replaced as a whole: nothing else is to be removed by a slip.
case $out in
  *?.app) ;;
  *) fail "$out does not end with .app" 2 ;;
esac
case $program in
  */*) ;;
  *) program=./$program ;;
esac
here=$(cd "$(dirname "$0")/.." && pwd)

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/Cargo.toml" | head -n 1)
[ -n "$version" ] || fail "Cargo.toml has no version"

new=$out.new
rm -rf "$new"
trap 'rm -rf "$new"' EXIT
contents=$new/Contents
mkdir -p "$contents/MacOS" "$contents/Resources"
install -m 755 "$binary" "$contents/MacOS/freeport"
sed -e "s/@VERSION@/$version/" -e "s/@NUMBERS@/${version%%[-+]*}/" "$here/macos/Info.plist" \
  > "$contents/Info.plist"
printf 'APPL????' > "$contents/PkgInfo"
for file in icons/macos/freeport.icns LICENSE-APACHE LICENSE-MIT; do
  install -m 644 "$here/$file" "$contents/Resources"
done
"$program" man --write "$contents/Resources" ||
  fail "$program tells no manual pages; give a freeport that runs here as third argument"

rm -rf "$out"
mv "$new" "$out"
echo "$out: freeport $version"
