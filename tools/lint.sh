#!/usr/bin/env bash
# Style, types and (where shellcheck is installed) the shell scripts. All run; the worst status wins.
set -uo pipefail
ROOT="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$ROOT" || exit 1
status=0
.venv/bin/ruff check --quiet --output-format concise . || status=1
.venv/bin/mypy --no-error-summary || status=1
if command -v shellcheck > /dev/null; then
    shellcheck -x env.sh .ci/run tools/*.sh tools/lib/*.sh || status=1
fi
if [ "$status" = 0 ]; then echo "lint: clean"; else echo "lint: failed" >&2; fi
exit "$status"
