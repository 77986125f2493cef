# shellcheck shell=bash
# What the tests of packages share: steps with their outcome, waiting, and a clean Debian to install
# them in.

failed=0
# step WHAT COMMAND…: PASS or FAIL, and what the command said where it failed.
step() {
  local what=$1 said
  shift
  said=$(mktemp)
  if "$@" > "$said" 2>&1; then
    echo "PASS $what"
  else
    echo "FAIL $what"
    sed 's/^/     | /' "$said" | tail -n 60
    # shellcheck disable=SC2034 # the tests look at it
    failed=1
  fi
  rm -f "$said"
}

skipped() { echo "SKIPPED: $*" >&2; }

# Does a command until it succeeds, for at most twenty seconds.
eventually() {
  local end=$((SECONDS + 20))
  until "$@" > /dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "waited in vain: $*" >&2
      "$@" || true
      return 1
    fi
    sleep 0.05
  done
}

not() { ! "$@"; }

# The name of this machine's release.
release() { (. /etc/os-release && echo "$VERSION_CODENAME"); }

# clean_root PLACE PACKAGE…: a clean system of this machine's release in PLACE, with these packages.
# Made once, and kept. The mirror is what roots.sh finds.
clean_root() {
  local place=$1 suite from
  shift
  if [ -e "$place/etc/complete" ] && [ "$(cat "$place/etc/complete")" = "$*" ]; then
    return
  fi
  suite=$(release)
  from=$(mirror)
  if [ -z "$from" ]; then
    echo "apt has no mirror of $suite" >&2
    return 1
  fi
  echo "== making $place from $suite" >&2
  rm -rf --one-file-system "$place"
  mkdir -p "$(dirname "$place")"
  local list components=main
  list=$(IFS=,; echo "$*")
  # Ubuntu has some of the shells elsewhere.
  (. /etc/os-release && [ "$ID" != ubuntu ]) || components=main,universe
  if ! debootstrap --variant=minbase --components="$components" --include="$list" "$suite" "$place" "$from" > "$place.log" 2>&1; then
    tail -n 20 "$place.log" >&2
    return 1
  fi
  rm -f "$place"/var/cache/apt/archives/*.deb
  echo "$*" > "$place/etc/complete"
}
