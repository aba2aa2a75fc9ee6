#!/usr/bin/env bash
# Run the tests: tools/test.sh MARKS [pytest options]. MARKS is a pytest -m expression.
#
# Files that carry the mark `own_process` talk to ROS from the test itself. A process can join
# one ROS master only, so each of them runs in a process of its own, before all others run in parallel.
set -uo pipefail
ROOT="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$ROOT" || exit 1
# shellcheck disable=SC1091
. ./env.sh
marks="$1"
shift
NO_TESTS=5 # pytest's exit status when MARKS leaves nothing of a file
status=0
grep -rlE '^pytestmark = .*own_process' tests --include='test_*.py' | sort > .tools/own_process
while read -r file; do
    echo "== $file, in a process of its own"
    python -m pytest -q "$file" -m "$marks" "$@" < /dev/null
    code=$?
    [ "$code" = 0 ] || [ "$code" = "$NO_TESTS" ] || status=1
done < .tools/own_process
python -m pytest -n "${PYTEST_WORKERS:-2}" --dist loadgroup -m "not own_process and ($marks)" "$@" || status=1
exit "$status"
