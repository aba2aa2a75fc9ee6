# shellcheck shell=bash
# Which Python the virtual environment is made from.

# good_python PATH: is it 3.10 or newer?
good_python() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2])' 2> /dev/null
}

# choose_python: sets PYTHON. The system's own, because rospy's packages belong to it; where that is
# too old (Ubuntu 20.04 has 3.8), another one: rospy is pure Python and comes by path.
choose_python() {
    local candidate
    if [ -n "${KUAVO_PYTHON:-}" ]; then
        PYTHON="$(command -v "$KUAVO_PYTHON")" || fail "KUAVO_PYTHON=$KUAVO_PYTHON: there is no such program."
        good_python "$PYTHON" || fail "KUAVO_PYTHON=$KUAVO_PYTHON is older than Python 3.10."
        return
    fi
    for candidate in /usr/bin/python3 /usr/bin/python3.11 /usr/bin/python3.10 python3.11 python3.10; do
        PYTHON="$(command -v "$candidate")" || continue
        good_python "$PYTHON" && return
    done
    fail "the policy needs Python 3.10 or 3.11 and this system has $(/usr/bin/python3 -V 2>&1): install one beside it (rospy is pure Python and is used from there by path) and run KUAVO_PYTHON=/path/to/python3.10 make setup"
}
