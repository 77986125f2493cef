#!/usr/bin/env bash
# Makes the rpm and tries it: what it says of itself, what is in it, and what it needs; then rpm
# installs it into a folder of its own, verifies, updates and removes it. The program in it is run.
#
# usage: tests/packages/rpm.sh [BINARY]           with a program from scripts/package-binary
# shellcheck disable=SC2154 # version comes from package-lib.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=/dev/null
. scripts/package-lib.sh
if ! command -v rpmbuild >/dev/null; then
  echo "SKIPPED: there is no rpmbuild (Debian's package rpm); the rpm was not made" >&2
  exit
fi

failed=''
check() {
  local name=$1 said
  shift
  if said=$("$@" 2>&1); then echo "PASS: $name"; else
    echo "FAIL: $name"
    printf '%s\n' "$said" | head -n 20 | sed 's/^/  | /'
    failed=yes
  fi
}
says() {
  local text=$1 said
  shift
  said=$("$@" 2>&1) || true
  grep -qE -- "$text" <<<"$said" || { printf '%s\n' "$said"; return 1; }
}
lacks() { ! says "$@" >/dev/null; }

FREEPORT_BINARY=${1:-$(scripts/package-binary)}
export FREEPORT_BINARY
rpm=$(scripts/package-rpm)
once=$(sha256sum < "$rpm")
check "the same files make the same rpm" test "$once" = "$(sha256sum < "$(scripts/package-rpm)")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Debian's rpm refuses to install unless it is told a root; the database of this machine is not touched.
root=$work/root
mkdir "$root"
in_root() { rpm --root "$root" --dbpath /var/lib/rpm "$@"; }

check "its digests are right" says 'digests OK' rpm --dbpath "$work/none" -K "$rpm"
check "its version is that of Cargo.toml" says "^$version$" rpm -qp --qf '%{VERSION}\n' "$rpm"
check "its licence is named" says '^MIT OR Apache-2.0$' rpm -qp --qf '%{LICENSE}\n' "$rpm"
check "it has no scripts" test -z "$(rpm -qp --scripts "$rpm")"
for file in /usr/bin/freeport /usr/share/man/man1/freeport-run.1.gz /usr/share/applications/freeport.desktop \
  /usr/share/metainfo/freeport.metainfo.xml /usr/share/icons/hicolor/scalable/apps/freeport.svg \
  /usr/lib/systemd/user/freeport.service /usr/share/bash-completion/completions/freeport \
  /usr/share/zsh/site-functions/_freeport /usr/share/fish/vendor_completions.d/freeport.fish \
  /usr/share/licenses/freeport/LICENSE-MIT /usr/share/doc/freeport/guide.md; do
  check "it has $file" says "^$file$" rpm -qpl "$rpm"
done
check "it has nothing outside of /usr" lacks '^/[^u]' rpm -qpl "$rpm"
check "all of it is root's" test "$(rpm -qp --qf '[%{FILEUSERNAME}:%{FILEGROUPNAME}\n]' "$rpm" | sort -u)" = root:root
check "it needs a libc" says '^libc.so.6\(GLIBC_2' rpm -qp --requires "$rpm"
check "and none newer than 2.17" lacks 'GLIBC_2\.(1[89]|[2-9][0-9])' rpm -qp --requires "$rpm"
check "it needs no library but those of glibc" lacks \
  '^lib' sh -c "rpm -qp --requires '$rpm' | grep -v -E '^(libc|libm|libdl|libpthread|librt|ld-linux-x86-64|ld-linux-aarch64)\.so'"

# There is no package of a libc in that root, so what it needs is not asked for.
check "rpm installs it" in_root -i --nodeps "$rpm"
check "rpm knows it" says "^freeport-$version-1" in_root -q freeport
check "what was installed is what was packed" in_root -V --nodeps freeport
check "the program in it runs" says "^freeport $version$" "$root/usr/bin/freeport" --version
check "the program in it lists" env HOME="$work" XDG_RUNTIME_DIR="$work" "$root/usr/bin/freeport" list
check "rpm installs it again over itself" in_root -U --nodeps --replacepkgs "$rpm"
check "rpm removes it" in_root -e --nodeps freeport
check "nothing is left of it" test -z "$(find "$root" -path "$root/var/lib/rpm" -prune -o -name '*freeport*' -print)"
[ -z "$failed" ] && echo "== the rpm passed"
