#!/usr/bin/env bash
# Makes the PKGBUILD and has the real makepkg build a package from it and its source archive, which is
# so shown to be complete; then looks at the package. Debian's makepkg has no pacman, so that what the
# package needs is not looked for.
#
# usage: tests/packages/aur.sh            with a compiled program put in cargo's place: seconds
#        tests/packages/aur.sh --build    compiles it and runs its checks, as the AUR's users do: minutes
# shellcheck disable=SC2154 # version comes from package-lib.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=/dev/null
. scripts/package-lib.sh
for program in makepkg fakeroot bsdtar setpriv; do
  if ! command -v "$program" >/dev/null; then
    echo "SKIPPED: there is no $program (Debian's packages makepkg, fakeroot, libarchive-tools, util-linux);" \
      "the PKGBUILD was not tried" >&2
    exit
  fi
done

failed=''
check() {
  local name=$1 said
  shift
  if said=$("$@" 2>&1); then echo "PASS: $name"; else
    echo "FAIL: $name"
    printf '%s\n' "$said" | tail -n 20 | sed 's/^/  | /'
    failed=yes
  fi
}
has() { grep -qE -- "$2" "$1"; }

folder=$(FREEPORT_REPOSITORY='' GITHUB_REPOSITORY='' scripts/package-aur)
check "the PKGBUILD is a script" bash -n "$folder/PKGBUILD"
filled() { ! grep -n '=.*@[A-Z]' "$folder/PKGBUILD"; }
check "nothing in it is left to fill in" filled
check ".SRCINFO has the version of Cargo.toml" has "$folder/.SRCINFO" "pkgver = ${version//-/_}$"
check ".SRCINFO has a checksum" has "$folder/.SRCINFO" 'sha256sums = [0-9a-f]{64}$'
named=$(FREEPORT_REPOSITORY=https://forge.example/freeport scripts/package-aur)
check "in a release, the source is named by its place" has "$named/.SRCINFO" \
  "source = https://forge.example/freeport/releases/download/v$version/freeport-$version-source.tar.gz$"
FREEPORT_REPOSITORY='' GITHUB_REPOSITORY='' scripts/package-aur >/dev/null

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cp "$folder"/* "$work/"
# Asked before HOME is another one, as cargo has its own there.
if [ "${1:-}" != --build ]; then bundle/licences > "$work/licences"; fi
toolchain=$(rustc --print sysroot)
export PACMAN=true PKGEXT=.pkg.tar.gz PACKAGER='Freeport <nobody@localhost>' HOME=$work/home
mkdir "$HOME"
as=()
if [ "${1:-}" = --build ]; then
  mkdir "$work/cargo" "$work/toolchain"
  export CARGO_HOME=$work/cargo
  if [ "$(id -u)" = 0 ]; then
    # The toolchain is in the home of root, where the user that makepkg runs as may not look.
    # shellcheck disable=SC2016 # for the inner shell
    as=(unshare --mount sh -euc 'mount --bind "$1" "$2"; shift 2; exec "$@"' in "$toolchain" "$work/toolchain")
    toolchain=$work/toolchain
  fi
  PATH=$toolchain/bin:$PATH
else
  # What building would write is there already; all else that the PKGBUILD does is real.
  binary=$(realpath -m -- "${FREEPORT_BINARY:-target/debug/freeport}")
  if [ ! -x "$binary" ]; then cargo build --locked --quiet; fi
  mkdir "$work/stand-in"
  cp "$binary" "$work/stand-in/freeport"
  export FREEPORT_LICENCES=$work/licences
  cat > "$work/stand-in/cargo" <<'STUB'
#!/bin/sh
echo "cargo $*" >> "$HOME/cargo.log"
case $1 in build) mkdir -p target/release && cp "${0%/*}/freeport" target/release/ ;; esac
STUB
  chmod 755 "$work/stand-in/cargo"
  PATH=$work/stand-in:$PATH
fi
if [ "$(id -u)" = 0 ]; then
  as+=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  chown -R 65534:65534 "$work"
fi
cd "$work"
check "makepkg builds it from the source archive" "${as[@]}" makepkg --nodeps --noconfirm
package=$(echo "$work"/freeport-*-1-*.pkg.tar.gz)
bsdtar -tf "$package" | sort > "$work/list"
for file in usr/bin/freeport usr/share/man/man1/freeport.1.gz usr/share/applications/freeport.desktop \
  usr/share/metainfo/freeport.metainfo.xml usr/lib/systemd/user/freeport.service \
  usr/share/licenses/freeport/LICENSE-MIT usr/share/icons/hicolor/scalable/apps/freeport.svg \
  usr/share/bash-completion/completions/freeport usr/share/zsh/site-functions/_freeport; do
  check "the package has $file" has "$work/list" "^$file$"
done
outside() { ! grep -vE '^(usr/|\.(PKGINFO|BUILDINFO|MTREE)$)' "$work/list"; }
check "the package has nothing outside of usr" outside
bsdtar -xf "$package" -C "$HOME"
check "its program runs" test "$("$HOME/usr/bin/freeport" --version)" = "freeport $version"
[ -z "$failed" ] && echo "== the PKGBUILD passed"
