#!/usr/bin/env bash
# The whole set-up, in steps that each start where the last run stopped:
# system packages (ROS 1), uv, .venv, locked packages, this project. A second call ends at once.
set -euo pipefail

ROOT="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
TOOLS="$ROOT/.tools"
STAMP="$ROOT/.venv/.kuavo-setup"

# What decides whether the set-up is current: lock, scripts, packaging, place, Python.
fingerprint() {
    {
        echo "$ROOT" "${KUAVO_PYTHON:-}" "${KUAVO_ROS_ROOT:-}"
        cat "$ROOT"/requirements_*.txt "$ROOT"/tools/setup.sh "$ROOT"/tools/lib/*.sh \
            "$ROOT"/setup.py "$ROOT"/pyproject.toml
    } | sha256sum | cut -d' ' -f1
}

is_current() {
    [ -f "$STAMP" ] && [ -x "$ROOT/.venv/bin/python" ] && [ "$(cat "$STAMP")" = "$1" ]
}

current="$(fingerprint)"
is_current "$current" && exit 0

SAY_LOG="$TOOLS/setup.log"
mkdir -p "$TOOLS" || { echo "setup: cannot write in $ROOT: check its owner and the disk." >&2; exit 1; }
# shellcheck source=tools/lib/say.sh
. "$ROOT/tools/lib/say.sh"
# shellcheck source=tools/lib/disk.sh
. "$ROOT/tools/lib/disk.sh"
# shellcheck source=tools/lib/system.sh
. "$ROOT/tools/lib/system.sh"
# shellcheck source=tools/lib/python.sh
. "$ROOT/tools/lib/python.sh"
# shellcheck source=tools/lib/uv.sh
. "$ROOT/tools/lib/uv.sh"
# shellcheck source=tools/lib/venv.sh
. "$ROOT/tools/lib/venv.sh"

# Two set-ups at once would tread on each other: the second waits, then finds the work done.
exec 9> "$TOOLS/lock"
if ! flock -n 9; then
    say "another set-up of this checkout is running: waiting for it"
    flock 9
    is_current "$current" && exit 0
fi

: > "$SAY_LOG"
say "setting up $ROOT"
install_system_packages
choose_python
install_uv "$PYTHON"
make_venv
fill_venv
check_venv
echo "$current" > "$STAMP"
say "set-up done: '. ./env.sh' gives a shell with it, 'make help' lists what there is"
