# shellcheck shell=bash
# Free disk space, asked before anything is written.

# free_mb DIR: free megabytes of the file system that holds DIR.
free_mb() { df -Pm "$1" | awk 'NR == 2 {print $4}'; }

# need_disk DIR MB WHAT: stop with a sentence unless DIR's file system has MB free.
need_disk() {
    local free
    free="$(free_mb "$1")"
    case "$free" in '' | *[!0-9]*) return 0 ;; esac
    if [ "$free" -lt "$2" ]; then
        fail "not enough disk: $3 needs $(($2 / 1000)) GB and $1 has $((free / 1000)) GB free; free some space or put the checkout on a larger disk."
    fi
}
