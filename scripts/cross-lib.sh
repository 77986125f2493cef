# shellcheck shell=bash
# A Rust toolchain for a foreign target, on Debian x86_64: a rustc of Debian's with its own std
# source, unpacked into a cache folder (nothing is installed), and the std of the target built from
# it. Sourced by scripts/check-macos and scripts/check-windows.
#
# CROSS=DIR keeps it elsewhere than ~/.cache/freeport-cross; CARGO=PROGRAM is another cargo.
CROSS=${CROSS:-${XDG_CACHE_HOME:-$HOME/.cache}/freeport-cross}
root=$CROSS/root
cargo=${CARGO:-cargo}

cross_toolchain() {
  if [ -e "$CROSS/.toolchain-ok" ]; then return; fi
  if ! command -v apt-get >/dev/null || [ "$(dpkg --print-architecture)" != amd64 ]; then
    echo "this needs Debian on x86_64, whose rustc-web packages it unpacks" >&2
    return 1
  fi
  rm -rf "$root" "$CROSS/deb"
  mkdir -p "$root" "$CROSS/deb" "$CROSS/bin"
  if [ "$(id -u)" = 0 ]; then apt-get update -qq; fi
  local version short llvm package
  version=$(apt-cache policy rustc-web | awk '/Candidate:/ { print $2 }')
  if [ -z "$version" ] || [ "$version" = "(none)" ]; then
    echo "apt knows no package rustc-web: run 'apt-get update' with the security archive" >&2
    return 1
  fi
  short=$(echo "$version" | cut -d. -f1,2)
  llvm=$(apt-cache show "libstd-rust-web-$short=$version" | grep -o 'libllvm[0-9]*' | head -1)
  (cd "$CROSS/deb" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download \
    "rustc-web=$version" "libstd-rust-web-$short=$version" "libstd-rust-web-dev=$version" \
    "rust-web-clippy=$version" "rust-web-src=$version" "$llvm")
  for package in "$CROSS"/deb/*.deb; do
    case $package in
      # The library only: the rest is 300 MB of compiler and tools.
      */rust-web-src_*)
        dpkg-deb --fsys-tarfile "$package" |
          tar -x -C "$root" --wildcards './usr/src/rustc-*/library/*' ;;
      *) dpkg -x "$package" "$root" ;;
    esac
  done
  rm -rf "$CROSS/deb" "${root:?}/usr/share"
  # Stand-ins for the C compiler and archiver of the target: build scripts call them, and nothing
  # is linked.
  cat > "$CROSS/bin/stubcc" <<'STUB'
#!/bin/sh
out=
while [ $# -gt 0 ]; do case "$1" in -o) out=$2; shift;; esac; shift; done
if [ -n "$out" ]; then : > "$out"; fi
STUB
  cat > "$CROSS/bin/stubar" <<'STUB'
#!/bin/sh
for a; do case "$a" in *.a) : > "$a";; esac; done
STUB
  chmod +x "$CROSS"/bin/*
  touch "$CROSS/.toolchain-ok"
}

cross_env() {
  export LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu RUSTC=$root/usr/bin/rustc
  unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTC_BOOTSTRAP
}

# cross_std TARGET: the metadata of the target's std, which is enough for cargo check and clippy.
cross_std() {
  local target=$1 lib=$root/usr/lib/rustlib/$1/lib
  if [ -e "$lib/.ok" ]; then return; fi
  rm -rf "$lib"
  mkdir -p "$lib"
  (cd "$root"/usr/src/rustc-*/library &&
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zforce-unstable-if-unmarked CARGO_TARGET_DIR=$CROSS/std \
      "$cargo" check -q --locked --release -p sysroot --features panic-unwind,backtrace --target "$target")
  cp "$CROSS/std/$target/release/deps"/*.rmeta "$lib/"
  rm -f "$lib"/libsysroot-*
  rm -rf "$CROSS/std"
  date +%s%N > "$lib/.ok"
}

# cross_target TARGET: a target folder of its own, emptied when the std was made anew. Cargo does
# not see that by itself, and what was built before then fails with "can't find crate".
cross_target() {
  local std
  std=$(cat "$root/usr/lib/rustlib/$1/lib/.ok")
  export CARGO_TARGET_DIR=$PWD/target/cross-$1
  if [ "$(cat "$CARGO_TARGET_DIR/.std" 2>/dev/null)" = "$std" ]; then return; fi
  rm -rf "$CARGO_TARGET_DIR"
  mkdir -p "$CARGO_TARGET_DIR"
  echo "$std" > "$CARGO_TARGET_DIR/.std"
}

# cross_lint TARGET [CARGO ARGUMENTS]: type-checks the crate for the target, and lints it without and
# with its unit tests. C code is taken for compiled: nothing is linked, so that no compiler of the
# target is needed.
cross_lint() {
  local target=$1 name=${1//-/_} profile
  shift
  cross_toolchain
  cross_env
  cross_std "$target"
  export "CC_$name=$CROSS/bin/stubcc" "AR_$name=$CROSS/bin/stubar"
  cross_target "$target"
  "$cargo" check --locked --target "$target" "$@"
  for profile in dev test; do
    CARGO=$cargo "$root/usr/bin/cargo-clippy" clippy --locked --target "$target" --profile "$profile" "$@" -- -D warnings
  done
}
