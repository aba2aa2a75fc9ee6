# shellcheck shell=bash
# Short lines with the seconds since the start, one clear sentence on failure.

SAY_LOG="${SAY_LOG:-/dev/null}"

# say WORDS…: one line of progress.
say() {
    printf '[%4ds] %s\n' "$SECONDS" "$*"
    printf '[%4ds] %s\n' "$SECONDS" "$*" >> "$SAY_LOG"
}

# fail SENTENCE: say why and stop; the log has the rest.
fail() {
    printf '[%4ds] FAILED: %s\n' "$SECONDS" "$*" >> "$SAY_LOG"
    printf 'setup: %s\n' "$*" >&2
    if [ -s "$SAY_LOG" ]; then
        printf 'setup: details are in %s; run the same command again to go on from here.\n' "$SAY_LOG" >&2
    fi
    exit 1
}

# quietly COMMAND…: its output goes to the log only; its status is returned.
quietly() {
    printf '+ %s\n' "${*##*/}" >> "$SAY_LOG"
    "$@" >> "$SAY_LOG" 2>&1 < /dev/null
}

# explain WHAT: turn the newest lines of the log into one sentence and stop.
explain() {
    local what="$1" tail
    tail="$(tail -n 80 "$SAY_LOG")"
    case "$tail" in
        *"No space left on device"* | *"not have enough free space"* | *"Disk quota exceeded"*)
            fail "$what stopped: the disk is full; free some space (see docs/setup.md, 'How much disk')."
            ;;
        *"Temporary failure resolving"* | *"Could not resolve"* | *"dns error"* | *"Name or service not known"* | \
            *"Temporary failure in name resolution"* | *"Network is unreachable"* | *"Could not connect"* | \
            *"Connection refused"* | *"onnection timed out"* | *"Failed to connect"* | *"operation timed out"* | \
            *"NewConnectionError"* | *"ConnectTimeout"* | *"tcp connect error"* | *"No route to host"*)
            fail "$what stopped: there is no network (or the mirror does not answer); connect this machine or set a mirror (see docs/setup.md, 'Mirrors')."
            ;;
        *"linux-gnu-gcc'"* | *"Python.h: No such file"*)
            fail "$what stopped: a package must be compiled and the compiler or Python's headers are missing; install g++ and the -dev package of your Python."
            ;;
        *"ertificate"*)
            fail "$what stopped: a TLS certificate was not accepted; set PIP_CERT to your lab's certificate file (see docs/setup.md, 'Mirrors')."
            ;;
        *"Could not get lock"* | *"dpkg frontend lock"*)
            fail "$what stopped: another package manager is running; wait for it to end."
            ;;
        *) fail "$what failed." ;;
    esac
}
