#!/usr/bin/env bash
# What is made for Macs, as far as it can be tried elsewhere: the package scripts run on stand-ins for
# the binaries, the signing runs against stand-ins for Apple's tools that write down how they were
# called, and Homebrew's files are loaded by Ruby. What needs a Mac is in macos/smoke.sh.
#
# usage: tests/packages/macos.sh [PROGRAM]       a freeport that runs here: target/debug/freeport
# shellcheck disable=SC2317 # most functions are called by others, by name
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
program=$(realpath -- "${1:-target/debug/freeport}")
[ -x "$program" ] || { echo "there is no $program: run 'cargo build' first" >&2; exit 2; }

# shellcheck source=/dev/null
. tests/packages/lib.sh
# ends STATUS COMMAND…: whether it ends with the status; what it says is in $tmp/out
ends() {
  local wanted=$1 got=0
  shift
  "$@" > "$tmp/out" 2>&1 || got=$?
  [ "$got" = "$wanted" ] || { echo "status $got, not $wanted: $*"; cat "$tmp/out"; return 1; }
}
says() { grep -qF -- "$1" "$tmp/out"; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# A copy, so that no package of this folder is touched; as the repository it has one commit.
tree="$tmp/a tree"
mkdir "$tree"
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
  tar -c --null -T - | tar -x -C "$tree"
cd "$tree" || exit 1
export SOURCE_DATE_EPOCH=1700000000
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)

# Two Mach-O files with a header and nothing else: x86_64 and arm64, executables.
printf '\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x02\x00\x00\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' > "$tmp/intel"
printf '\xcf\xfa\xed\xfe\x0c\x00\x00\x01\x00\x00\x00\x00\x02\x00\x00\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' > "$tmp/apple"

echo "== package-macos"
packages=target/package
zip=$packages/freeport-$version-macos.zip
lipo=$(command -v lipo llvm-lipo llvm-lipo-19 llvm-lipo-16 llvm-lipo-14 | head -n 1)
if [ -z "$lipo" ] || ! command -v zip >/dev/null || ! command -v unzip >/dev/null; then
  skipped "package-macos: there is no llvm-lipo, zip or unzip (Debian: llvm zip unzip)"
elif [ "$(uname -s)" = Darwin ]; then
  skipped "package-macos: on a Mac it is run with real binaries"
else
  step "needs binaries where there is no Mac" ends 2 scripts/package-macos
  step "takes none but those of Macs" ends 1 scripts/package-macos --program "$program" "$program"
  step "takes two" ends 0 scripts/package-macos --program "$program" "$tmp/intel" "$tmp/apple"
  step "says that it is not signed" says "not signed"
  universal() { [ "$("$lipo" -archs "$packages/macos/Freeport.app/Contents/MacOS/freeport" | xargs -n 1 | sort | xargs)" = "arm64 x86_64" ]; }
  step "makes one of them" universal
  summed() { (cd "$packages" && sha256sum --quiet -c "$(basename "$zip").sha256"); }
  step "makes a zip with its checksum" summed
  unzip -q "$zip" -d "$tmp/unpacked"
  same() { diff -r "$packages/macos/Freeport.app" "$tmp/unpacked/Freeport.app"; }
  step "which has what was packed" same
  step "and what can be executed" test -x "$tmp/unpacked/Freeport.app/Contents/MacOS/freeport"
  first=$(sha256sum < "$zip")
  step "again" ends 0 scripts/package-macos --program "$program" "$tmp/intel" "$tmp/apple"
  again() { [ -s "$zip" ] && [ "$first" = "$(sha256sum < "$zip")" ]; }
  step "gives the same bytes" again
  step "takes one" ends 0 scripts/package-macos --program "$program" "$tmp/apple"
  step "and says for whom in its name" test -s "$packages/freeport-$version-macos-arm64.zip"
fi

echo "== sign-macos"
if [ "$(uname -s)" = Darwin ]; then
  skipped "sign-macos: the stand-ins are tried elsewhere"
else
  app=$tmp/Freeport.app image=$tmp/freeport.dmg
  macos/bundle.sh "$tmp/apple" "$app" "$program" >/dev/null
  echo image > "$image"
  before=$(find "$app" -type f -exec sha256sum {} + | sort)
  untouched() { [ "$before" = "$(find "$app" -type f -exec sha256sum {} + | sort)" ]; }
  step "stops where everything is missing" ends 2 env -u FREEPORT_SIGN_IDENTITY scripts/sign-macos "$app"
  for what in codesign xcrun FREEPORT_SIGN_IDENTITY FREEPORT_NOTARY_PROFILE "nothing was signed"; do
    step "and names $what" says "$what"
  done
  step "needs something to sign" ends 2 scripts/sign-macos

  # Apple's tools, as they would be seen to be called.
  mkdir "$tmp/bin"
  export CALLS=$tmp/calls STATUS=Accepted
  for tool in codesign security xcrun ditto; do
    cat > "$tmp/bin/$tool" <<'TOOL'
#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0") $*" in
  "security find-identity"*) echo '  1) 0123 "Developer ID Application: Somebody (TEAM)"' ;;
  ditto*) for last; do :; done; echo archive > "$last" ;;
  "xcrun notarytool submit"*) printf '  id: 4-2\n  status: In Progress\n  id: 4-2\n  status: %s\n' "$STATUS" ;;
  "xcrun notarytool log"*) echo "the reasons" ;;
esac
TOOL
    chmod +x "$tmp/bin/$tool"
  done
  signs() {
    : > "$CALLS"
    env PATH="$tmp/bin:$PATH" "$@"
  }
  identity="Developer ID Application: Somebody (TEAM)"
  step "stops at an identity that is in no keychain" ends 2 signs FREEPORT_SIGN_IDENTITY="Nobody" \
    FREEPORT_NOTARY_PROFILE=release scripts/sign-macos "$app"
  step "stops at a key that is not there" ends 2 signs FREEPORT_SIGN_IDENTITY="$identity" \
    FREEPORT_NOTARY_KEY=/nonexistent scripts/sign-macos "$app"
  step "and names its id" says FREEPORT_NOTARY_KEY_ID
  step "stops at what it cannot sign" ends 2 signs FREEPORT_SIGN_IDENTITY="$identity" \
    FREEPORT_NOTARY_PROFILE=release scripts/sign-macos "$tmp/intel"
  step "none of these signed anything" not grep -e '--sign' -e submit "$CALLS"
  step "nothing was changed" untouched

  step "signs and notarizes" ends 0 signs FREEPORT_SIGN_IDENTITY="$identity" \
    FREEPORT_NOTARY_PROFILE=release scripts/sign-macos "$app" "$image"
  in_order() {
    sed "s|$tmp/||g; s|/[^ ]*/sent.zip|sent.zip|; s|a tree/||g" "$CALLS" > "$tmp/order"
    diff "$tmp/order" - <<ORDER
security find-identity -v -p codesigning
codesign --force --options runtime --timestamp --entitlements macos/entitlements.plist --sign $identity Freeport.app
codesign --verify --strict --verbose=2 Freeport.app
ditto -c -k --keepParent Freeport.app sent.zip
xcrun notarytool submit sent.zip --wait --keychain-profile release
xcrun stapler staple Freeport.app
xcrun stapler validate Freeport.app
codesign --force --timestamp --sign $identity freeport.dmg
codesign --verify --verbose=2 freeport.dmg
xcrun notarytool submit freeport.dmg --wait --keychain-profile release
xcrun stapler staple freeport.dmg
xcrun stapler validate freeport.dmg
ORDER
  }
  step "in the right order" in_order
  echo "the secret part" > "$tmp/key.p8"
  step "takes a key of App Store Connect" ends 0 signs FREEPORT_SIGN_IDENTITY="$identity" \
    FREEPORT_NOTARY_KEY="$tmp/key.p8" FREEPORT_NOTARY_KEY_ID=ID FREEPORT_NOTARY_ISSUER=UUID scripts/sign-macos "$app"
  told() { grep -qF "submit" "$CALLS" && grep -qF -- "--key $tmp/key.p8 --key-id ID --issuer UUID" "$CALLS"; }
  step "by its file" told
  step "and tells nobody what is in it" not grep "secret part" "$CALLS" "$tmp/out"
  step "fails where Apple says no" ends 1 signs STATUS=Invalid FREEPORT_SIGN_IDENTITY="$identity" \
    FREEPORT_NOTARY_PROFILE=release scripts/sign-macos "$app"
  step "with the reasons" says "the reasons"
  step "and staples nothing" not grep stapler "$CALLS"
  step "can sign only" ends 0 signs FREEPORT_SIGN_IDENTITY="$identity" FREEPORT_NOTARY=no scripts/sign-macos "$app"
  step "and sends nothing then" not grep -e notarytool -e stapler "$CALLS"
fi

echo "== Homebrew"
source=$tmp/freeport-$version-source.tar.gz application=$tmp/freeport-$version-macos.zip
echo source > "$source"
echo application > "$application"
no_address() { env -u FREEPORT_REPOSITORY -u GITHUB_REPOSITORY macos/homebrew/fill "$@"; }
step "needs an address" ends 2 no_address "$source"
export FREEPORT_REPOSITORY=https://forge.example/some/freeport
step "takes no other file than what is downloaded" ends 2 macos/homebrew/fill "$tmp/intel"
step "is filled in" ends 0 macos/homebrew/fill "$source" "$application"
step "completely" not grep -n '@[A-Z0-9]*@' "$packages/freeport.rb" "$packages/freeport-app.rb"
if command -v ruby >/dev/null; then
  for file in freeport freeport-app; do
    step "$file.rb is Ruby" ends 0 ruby -wc "$packages/$file.rb"
  done
  step "formula and cask are what Homebrew wants" ends 0 ruby -w tests/packages/homebrew.rb \
    "$packages" "$program" "$version" "$FREEPORT_REPOSITORY" "$(sha256sum < "$source" | cut -d' ' -f1)" \
    "$(sha256sum < "$application" | cut -d' ' -f1)" "$tree"
else
  skipped "formula and cask were not loaded: there is no ruby (Debian: ruby)"
fi

# shellcheck disable=SC2154 # failed comes from lib.sh
exit "$failed"
