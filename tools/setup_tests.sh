#!/usr/bin/env bash
# What the tests need beyond the set-up: a browser. A second call ends at once.
set -euo pipefail

ROOT="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
# shellcheck disable=SC2034 # say.sh reads it
SAY_LOG="$ROOT/.tools/setup.log"
mkdir -p "$ROOT/.tools"
# shellcheck source=tools/lib/say.sh
. "$ROOT/tools/lib/say.sh"
# shellcheck source=tools/lib/disk.sh
. "$ROOT/tools/lib/disk.sh"
# shellcheck source=tools/lib/system.sh
. "$ROOT/tools/lib/system.sh"
install_test_packages
