# shellcheck shell=bash
# What the scripts that make packages share. Sourced from the root of the repository.
# shellcheck disable=SC2034 # used by who sources it

# The version stands in Cargo.toml, and nowhere else.
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
packages=$PWD/target/package
mkdir -p "$packages"

# The time that files in packages have: that of the commit.
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.toml)
fi
export SOURCE_DATE_EPOCH

# The address of the repository, which is known in a workflow of GitHub, and stands in no file here.
if [ -z "${FREEPORT_REPOSITORY:-}" ] && [ -n "${GITHUB_REPOSITORY:-}" ]; then
  export FREEPORT_REPOSITORY=$GITHUB_SERVER_URL/$GITHUB_REPOSITORY
fi

# pack ARCHIVE TAR-ARGUMENTS…: a tar.gz whose bytes depend on names, modes and contents alone.
pack() {
  local archive=$1
  shift
  LC_ALL=C tar --create --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
    --mode=u+rwX,go+rX,go-w --mtime="@$SOURCE_DATE_EPOCH" "$@" | gzip -9n > "$archive.part"
  mv "$archive.part" "$archive"
}

# checksum FILE: FILE.sha256 beside it, as `sha256sum -c` reads it.
checksum() {
  (cd "$(dirname "$1")" && sha256sum "$(basename "$1")" > "$(basename "$1").sha256")
}

# The newest version of glibc whose symbols a program needs.
glibc_of() {
  LC_ALL=C readelf --version-info --wide "$1" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1 | cut -d_ -f2
}
