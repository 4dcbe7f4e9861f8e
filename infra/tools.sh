#!/bin/bash
# tools.sh: prints the folder with the Python programs of infra/requirements.txt (sam, cfn-lint, schemathesis and the
# python that can import them), after it has installed them there if they are not yet.
#
#   PATH=$(infra/tools.sh):$PATH sam --version
#
# They stay in ${XDG_CACHE_HOME:-$HOME/.cache}/signpost-tools, one folder for each state of the requirements and each
# python3. Needs python3 3.10 or later with venv, and the package index that pip is configured for.
set -euo pipefail

die() { echo "tools.sh: $*" >&2; exit 70; }

requirements=$(cd "$(dirname "$0")" && pwd)/requirements.txt
command -v python3 >/dev/null || die "python3 (3.10 or later) is needed for the SAM CLI and the linters"
command -v flock >/dev/null || die "flock (util-linux) is needed"
python=$(python3 -c 'import sys; sys.version_info >= (3, 10) or sys.exit("tools.sh: python3 is " + sys.version + ", 3.10 or later is needed"); print(sys.executable, sys.version)')
root=${XDG_CACHE_HOME:-$HOME/.cache}/signpost-tools
venv=$root/$( (echo "$python"; cat "$requirements") | sha256sum | cut -c1-16)

# make_venv makes an empty venv. Debian's python3 comes without what venv needs; where this is root, that can be helped.
make_venv() {
  python3 -m venv "$venv" >&2 && return
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || die "python3 -m venv does not work here: install python3-venv"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv; } >&2 ||
    die "python3 -m venv does not work here, and python3-venv could not be installed"
  rm -rf "$venv"
  python3 -m venv "$venv" >&2 || die "python3 -m venv does not work here, with python3-venv installed"
}

# A venv cannot be moved, so it is built in place: whoever comes second waits for the lock, and what was broken off, and
# so has no mark, is built anew.
if [ ! -e "$venv/complete" ]; then
  mkdir -p "$root"
  (
    flock -w 900 9 || die "gave up waiting for another installation ($venv.lock)"
    [ ! -e "$venv/complete" ] || exit 0
    rm -rf "$venv"
    make_venv
    "$venv/bin/python" -m pip --disable-pip-version-check install -q -r "$requirements" >&2 ||
      die "pip could not install $requirements"
    touch "$venv/complete"
  ) 9> "$venv.lock"
fi
echo "$venv/bin"
