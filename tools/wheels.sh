#!/usr/bin/env bash
# Fill a folder with everything that pip would fetch, for a machine without a network:
#
#     tools/wheels.sh /media/stick/wheels      here, where there is a network and a set-up
#     PIP_NO_INDEX=1 PIP_FIND_LINKS=/media/stick/wheels make setup      there
#
# Both machines need the same processor and Python; system packages come by apt as usual.
set -euo pipefail
ROOT="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
[ $# = 1 ] || { echo "usage: tools/wheels.sh FOLDER" >&2; exit 2; }
[ -x "$ROOT/.venv/bin/pip" ] || { echo "wheels: run 'make setup' first" >&2; exit 1; }
# shellcheck source=tools/lib/uv.sh
. "$ROOT/tools/lib/uv.sh"
mkdir -p "$1"
"$ROOT/.venv/bin/pip" wheel --disable-pip-version-check --no-deps --wheel-dir "$1" \
    -r "$ROOT/requirements_total.txt" -r "$ROOT/requirements_messages.txt" \
    "$UV_PIN" pip setuptools wheel
echo "wheels: $(du -sh "$1" | cut -f1) in $1"
