#!/usr/bin/env bash
# Try the set-up on a machine that has nothing: a Debian 12 root of its own (git, make, python3),
# a clone of what is committed here, and `make TARGET` for each target in it, timed.
#
#     sudo tools/fresh_root.sh                 make setup
#     sudo tools/fresh_root.sh test demo       make test, then make demo
#     sudo tools/fresh_root.sh --user test     the same as a user with sudo instead of root
#     sudo tools/fresh_root.sh --keep setup    leave the root behind and say where it is
#     sudo tools/fresh_root.sh --dir /big …    where the root is made (default: $TMPDIR or /tmp)
#
# apt's source, proxy and certificates, and pip's configuration with the folders that it names, are
# taken from this machine. Its mounts live in a namespace of their own and end with it.
# shellcheck disable=SC2016,SC2317  # $(…) in formats is for apt; functions are called through phase
set -euo pipefail

SOURCE="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
SUITE=bookworm
PLACE=/srv/checkout

die() { echo "fresh_root: $*" >&2; exit 1; }

# phase NAME COMMAND…: run it and say how long it took.
phase() {
    local name="$1" start="$SECONDS" status=0
    shift
    "$@" || status=$?
    printf '== %-22s %5.1f min, %s\n' "$name" "$(awk "BEGIN {print ($SECONDS - $start) / 60}")" \
        "$([ "$status" = 0 ] && echo fine || echo "exit status $status")"
    return "$status"
}

# The archive that this machine's apt uses for SUITE.
apt_archive() {
    apt-get indextargets --format '$(REPO_URI)' "Codename: $SUITE" 'Created-By: Packages' | head -n 1
}

# Folders of this machine that pip's configuration names. An index's pages link to files that lie
# beside its folder, so there it is the folder above.
pip_folders() {
    local name values folder
    for name in index-url find-links; do
        values="$(python3 -m pip config list 2> /dev/null | sed -n -E "s/^.*$name='(.*)'\$/\1/p" |
            sed 's/\\n/ /g')"
        for folder in $values; do
            folder="${folder#file://}"
            [ -d "$folder" ] || continue
            if [ "$name" = index-url ]; then dirname "$folder"; else echo "$folder"; fi
        done
    done
}

# pip's configuration as a file; PIP_* variables are carried as they are.
pip_file() {
    python3 -m pip config list 2> /dev/null | grep -v '^:env:' | sort | sed 's/\\n/ /g' |
        sed -n -E "s/^([a-z]+)\.([a-z-]+)='(.*)'\$/\1 \2 = \3/p" |
        awk '$1 != section {section = $1; print "[" section "]"} {$1 = ""; print substr($0, 2)}'
}

# Fill the root with what the machine brings: names, certificates, apt's and pip's settings.
carry() {
    local file name
    cp -L /etc/resolv.conf "$1/etc/resolv.conf"
    cp /etc/hosts "$1/etc/hosts"
    apt-config dump | grep -E '^Acquire::(http|https|ftp)::' > "$1/etc/apt/apt.conf.d/99carried" || true
    for name in PIP_CERT SSL_CERT_FILE; do
        file="${!name:-}"
        [ -f "$file" ] || continue
        mkdir -p "$1$(dirname "$file")"
        cp -L "$file" "$1$file"
    done
    pip_file > "$1/etc/pip.conf"
}

# Debian's own suites, updates and security too where this machine has them.
write_sources() {
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' \
        'Origin: Debian' | grep -E " $SUITE(-updates|-security)? " | sort -u > "$1/etc/apt/sources.list"
}

make_root() {
    debootstrap --variant=minbase --include=git,make,python3,ca-certificates,sudo \
        "$SUITE" "$1" "$(apt_archive)" > "$1.log" 2>&1 || { tail -n 5 "$1.log" >&2; return 1; }
    write_sources "$1"
    carry "$1"
    git clone -q --no-hardlinks "$SOURCE" "$1$PLACE"
    if [ "$AS" != root ]; then
        chroot "$1" useradd -m -s /bin/bash "$AS"
        echo "$AS ALL=(ALL) NOPASSWD: ALL" > "$1/etc/sudoers.d/$AS"
        chroot "$1" chown -R "$AS" "$PLACE"
    fi
}

# In the mount namespace: /proc, /sys, /dev and pip's folders appear in the root.
mount_root() {
    local folder
    mount -t proc proc "$1/proc"
    mount --rbind /sys "$1/sys"
    mount --rbind /dev "$1/dev"
    pip_folders | sort -u | while read -r folder; do
        mkdir -p "$1$folder"
        mount --bind -o ro "$folder" "$1$folder"
    done
}

# make TARGET in the root, with an environment of nothing but what pip and TLS need.
in_root() {
    local keep=() name
    while read -r name; do keep+=("$name=${!name}"); done < <(
        compgen -e | grep -E '^(PIP_|UV_).*|^(SSL_CERT_FILE|https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY)$')
    chroot "$ROOT" env -i "${keep[@]}" HOME=/root TERM=dumb LANG=C.UTF-8 CI=true \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        "${BECOME[@]}" bash -c "cd $PLACE && make $1" < /dev/null
}

# The second half runs inside the namespace, called by the first.
if [ "${1:-}" = --inside ]; then
    ROOT="$2" AS="$3"
    shift 3
    BECOME=()
    # Only the names of the variables are listed: su would drop the values.
    [ "$AS" = root ] || BECOME=(setpriv --reuid "$AS" --regid "$AS" --init-groups env "HOME=/home/$AS")
    mount_root "$ROOT"
    status=0
    for target in "$@"; do
        phase "make $target" in_root "$target" || {
            status=$?
            tail -n 30 "$ROOT$PLACE/.tools/setup.log" 2> /dev/null || true
            break
        }
        [ "$target" != setup ] || phase "make setup, again" in_root setup
    done
    exit "$status"
fi

KEEP=0 AS=root BASE="${TMPDIR:-/tmp}"
while [ $# -gt 0 ]; do
    case "$1" in
        --keep) KEEP=1 ;;
        --user) AS=tester ;;
        --dir) BASE="${2:?--dir needs a folder}" && shift ;;
        -*) die "unknown option $1: choose from --keep, --user, --dir DIR" ;;
        *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || set -- setup
[ "$(id -u)" = 0 ] || die "run it as root (sudo tools/fresh_root.sh)"
for tool in debootstrap unshare git; do
    command -v "$tool" > /dev/null || die "$tool is missing: apt-get install debootstrap util-linux git"
done
[ -n "$(apt_archive)" ] || die "this machine's apt knows no $SUITE archive"

WORK="$(mktemp -d "$BASE/fresh_root.XXXXXX")"
# Out here none of the namespace's mounts exist, so this deletes the root and nothing else.
clean_up() {
    if [ "$KEEP" = 1 ]; then echo "kept: $WORK/root"; else rm -rf --one-file-system "$WORK"; fi
}
trap clean_up EXIT
status=0
phase "debootstrap and clone" make_root "$WORK/root"
unshare --mount --pid --fork --kill-child --propagation private \
    "$SOURCE/tools/fresh_root.sh" --inside "$WORK/root" "$AS" "$@" || status=$?
printf '== disk: %s\n' "$(du -sh "$WORK/root" | cut -f1)"
exit "$status"
