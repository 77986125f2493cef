#!/usr/bin/env bash
# Shows that scripts/check-macos is worth something: it passes on the sources as they are, and fails
# when a type error is put into a line that only macOS sees: in its folder of the platform, in its
# tray, in a unit test of either. Works on a copy; nothing in this tree is changed.
#
# usage: tests/check_macos.sh          (seconds after scripts/check-macos has run once, else minutes)
set -euo pipefail
cd "$(dirname "$0")/.."
main=$PWD
# Not in /tmp: the copy shares what the check has built before, which depends on where it is.
copy=$main/target/check-macos-copy
log=$copy.log
rm -rf "$copy"
trap 'rm -rf "$copy" "$log"' EXIT
mkdir -p "$copy/target"
cp -R Cargo.toml Cargo.lock clippy.toml src icons scripts benches "$copy"
[ ! -d bundle ] || cp -R bundle "$copy"
# Dependencies are not compiled again; the crate is, under another path.
target=${TARGET:-aarch64-apple-darwin}
ln -s "$main/target/cross-$target" "$copy/target/cross-$target"

check() { (cd "$copy" && scripts/check-macos >"$log" 2>&1); }

if ! check; then
  cat "$log" >&2
  echo "check_macos: it fails on the sources as they are" >&2
  exit 1
fi
echo "passes: the sources as they are"

failed=
# breaks FILE MATCH REPLACEMENT ERROR: the check must fail with that error, and there.
breaks() {
  local file=$1 match=$2 replacement=$3 error=$4
  cp "$copy/$file" "$copy/before"
  sed -i "s|$match|$replacement|" "$copy/$file"
  if cmp -s "$copy/$file" "$copy/before"; then
    echo "check_macos: $file has no line with '$match' to break; choose another" >&2
    failed=yes
  elif check; then
    echo "check_macos: it passes with an error in $file: $replacement" >&2
    failed=yes
  elif ! grep -q "$error" "$log" || ! grep -q "$file" "$log"; then
    echo "check_macos: it fails for another reason than the error in $file:" >&2
    tail -20 "$log" >&2
    failed=yes
  else
    echo "fails:  $file: $replacement"
  fi
  mv "$copy/before" "$copy/$file"
  touch "$copy/$file"
}

breaks src/platform/macos/status.rs 'pti_resident_size' 'pti_resident_sizes' E0609
breaks src/tray/macos.rs 'ActivationPolicy::Accessory' 'ActivationPolicy::Accessories' E0599
breaks src/platform/macos/watch.rs 'watch.wait(Duration::ZERO).asked' 'watch.wait("at once").asked' E0308
[ -z "$failed" ]
