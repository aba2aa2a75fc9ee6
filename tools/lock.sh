#!/usr/bin/env bash
# requirements.in -> requirements_total.txt: the same versions on every machine and Python >= 3.10.
set -euo pipefail
ROOT="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
TOOLS="$ROOT/.tools"
SAY_LOG="$TOOLS/lock.log"
mkdir -p "$TOOLS"
: > "$SAY_LOG"
# shellcheck source=tools/lib/say.sh
. "$ROOT/tools/lib/say.sh"
# shellcheck source=tools/lib/uv.sh
. "$ROOT/tools/lib/uv.sh"

install_uv /usr/bin/python3
# One index decides: what a lab has beside it (its own builds, a few wheels) must not steer versions
# that others install.
unset UV_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_INDEX_STRATEGY
cd "$ROOT"
# The old lock is offered as a preference, so that only what must change does.
new="$TOOLS/requirements_total.txt"
cp requirements_total.txt "$new"
quietly "$UV" pip compile --universal --python-version 3.10 --no-header --no-annotate \
    --no-emit-index-url --no-emit-find-links "${NO_INDEX[@]}" "$@" requirements.in -o "$new" ||
    explain "locking"
mv "$new" requirements_total.txt
say "requirements_total.txt: $(grep -c '==' requirements_total.txt) lines"
