#!/usr/bin/env bash
# Installs the development servers that tests/frameworks.rs runs, from npm and PyPI, each beside a
# copy of its project. What is there and complete is left as it is; what cannot be installed is
# named, and its tests are skipped.
#
# usage: tests/frameworks/install.sh [FOLDER]    target/frameworks when none is given
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
projects=$root/tests/frameworks/projects
folder=${1:-$root/target/frameworks}
mkdir -p "$folder" || exit 1
# Only one at a time; the second finds everything there.
exec 9>"$folder/.lock"
if command -v flock >/dev/null; then flock 9; fi

export CI=1 ASTRO_TELEMETRY_DISABLED=1 NEXT_TELEMETRY_DISABLED=1 NUXT_TELEMETRY_DISABLED=1
failed=()

# Whether a project is there, as its template and the interpreter say now.
is_complete() { [ "$(cat "$folder/$1/.complete" 2>/dev/null)" = "$2" ]; }

# The digest of a template and of the version of what runs it.
state() {
  { find "$projects/$1" -type f -print0 | sort -z | xargs -0 cat; "$2" --version; } | cksum
}

# A project with the packages of its package.json. They go into node_modules as npm puts them, and
# no lock file is written, so that nothing here says where packages come from.
npm_project() {
  local name=$1 want
  if ! command -v npm >/dev/null; then failed+=("$name (there is no npm)"); return; fi
  want=$(state "$name" node)
  if is_complete "$name" "$want"; then return; fi
  echo "== installing $name"
  mkdir -p "$folder/$name"
  cp -R "$projects/$name/." "$folder/$name/"
  if (cd "$folder/$name" && timeout 600 nice -n 10 npm install --no-audit --no-fund --prefer-offline \
    --no-package-lock --no-update-notifier --fetch-retries=1 --loglevel=error 9>&-); then
    echo "$want" >"$folder/$name/.complete"
  else
    failed+=("$name (npm install failed)")
  fi
}

# The Python projects share one venv.
python_project() {
  local want
  if ! command -v python3 >/dev/null; then failed+=("python (there is no python3)"); return; fi
  want=$(state python python3)
  if is_complete python "$want"; then return; fi
  echo "== installing python"
  mkdir -p "$folder/python"
  cp -R "$projects/python/." "$folder/python/"
  if { [ -x "$folder/python/venv/bin/pip" ] || nice -n 10 python3 -m venv "$folder/python/venv"; } &&
    timeout 600 nice -n 10 "$folder/python/venv/bin/pip" install --quiet --disable-pip-version-check \
      --requirement "$folder/python/requirements.txt" 9>&-; then
    echo "$want" >"$folder/python/.complete"
  else
    failed+=("python (its venv could not be made)")
  fi
}

# The projects that need nothing but an interpreter are only copied.
mkdir -p "$folder/node"
cp -R "$projects/node/." "$folder/node/"

python_project
for name in pnpm vite webpack astro next nuxt; do npm_project "$name"; done

for one in ${failed[@]+"${failed[@]}"}; do echo "== SKIPPED: $one" >&2; done
[ ${#failed[@]} -eq 0 ]
