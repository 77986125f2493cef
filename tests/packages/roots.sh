# shellcheck shell=bash
# Roots of distributions, for tests of packages, made by debootstrap from the mirror that apt of this
# machine uses. Sourced by them, from the root of the repository.

# The mirror of the distribution itself.
mirror() {
  local uri
  # shellcheck disable=SC2016 # apt fills it in
  uri=$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT) $(SUITE) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 == "main" && $4 !~ /-/ && $3 !~ /-/ { print $1; exit }')
  case $uri in
    # A list of mirrors, as GitHub's machines have it.
    mirror+file:*) awk '/^https?:/ { print $1; exit }' "${uri#mirror+file:}" ;;
    *) echo "$uri" ;;
  esac
}

# oldest MIRROR SUITE…: the first of these suites that the mirror still has.
oldest() {
  local from=$1 suite found
  shift
  found=$(mktemp)
  for suite in "$@"; do
    if /usr/lib/apt/apt-helper download-file "${from%/}/dists/$suite/Release" "$found" >/dev/null 2>&1; then
      rm -f "$found"
      echo "$suite"
      return
    fi
  done
  rm -f "$found"
  return 1
}

# root_of SUITE MIRROR [PACKAGES]: prints the folder of a root, which is made once and kept below target.
root_of() {
  local root=$PWD/target/package-roots/$1
  if [ ! -e "$root/.complete" ]; then
    rm -rf "$root"
    mkdir -p "$(dirname "$root")"
    if ! debootstrap --variant=minbase ${3:+--include="$3"} "$1" "$root" "$2" > "$root.log" 2>&1; then
      echo "debootstrap failed:" >&2
      tail -n 5 "$root.log" >&2
      return 1
    fi
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    touch "$root/.complete"
  fi
  echo "$root"
}

# inside ROOT COMMAND…: runs it there as root, in namespaces of its own: it sees no process and no port
# of this machine, what it mounts is gone afterwards, and what it leaves running is ended.
inside() {
  local root=$1
  shift
  # shellcheck disable=SC2016 # for the inner shell
  unshare --mount --pid --net --ipc --uts --fork --kill-child sh -euc '
    root=$1
    shift
    ip link set lo up
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=755 dev "$root/dev"
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t tmpfs shm "$root/dev/shm"
    for node in null zero full random urandom tty; do
      touch "$root/dev/$node"
      mount --bind "/dev/$node" "$root/dev/$node"
    done
    ln -s /proc/self/fd "$root/dev/fd"
    exec chroot "$root" "$@"' inside "$root" "$@"
}
