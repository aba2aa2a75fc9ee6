# shellcheck shell=bash
# System packages: ROS 1 and the rendering libraries, from the distribution's own archive.

ROS_ROOT_DIR="${KUAVO_ROS_ROOT:-/opt/ros/noetic}"

# A venv for uv, a compiler (one locked package, evdev, has no wheel; catkin wants one too), and
# rendering without a screen. ffmpeg for its libraries, with which lerobot decodes videos.
BASE_PACKAGES=(ca-certificates python3 python3-venv python3-pip python3-dev g++
    libegl1 libosmesa6 libgl1 libgl1-mesa-dri ffmpeg)
# ROS 1 in Debian's archive.
ROS_PACKAGES=(ros-core rosbash rospack-tools catkin
    python3-rospy python3-roslaunch python3-rostest python3-rosbag
    python3-std-msgs python3-std-srvs python3-sensor-msgs python3-nav-msgs python3-geometry-msgs
    python3-trajectory-msgs python3-diagnostic-msgs)

# A browser without a screen: tests read the reports in it (tools/setup_tests.sh).
TEST_PACKAGES=(chromium-headless-shell)

# Print the names of the packages that dpkg does not have installed.
missing_packages() {
    local name
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2> /dev/null | grep -q 'install ok installed' || echo "$name"
    done
}

# Ubuntu has no such package; any Chromium there does (tests/eval/page_numbers.py).
has_browser() {
    local name
    for name in chromium-headless-shell chromium chromium-browser google-chrome; do
        command -v "$name" > /dev/null && return
    done
    return 1
}

# as_root COMMAND…: run as root, through sudo if need be.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n env "DEBIAN_FRONTEND=noninteractive" "$@"; fi
}

# Make sure that as_root works, asking for the password once where someone can type it.
need_root() {
    [ "$(id -u)" = 0 ] && return
    local ask="ask an administrator to run: apt-get install --no-install-recommends $*"
    command -v sudo > /dev/null || fail "system packages are missing and there is no sudo here; $ask"
    sudo -n true 2> /dev/null && return
    if [ -t 0 ]; then
        sudo -v && return
    fi
    fail "system packages are missing and sudo needs a password here; run this in a terminal, or $ask"
}

install_system_packages() {
    local wanted=("${BASE_PACKAGES[@]}")
    if [ -f "$ROS_ROOT_DIR/setup.sh" ]; then
        say "ROS 1: using $ROS_ROOT_DIR"
    else
        wanted+=("${ROS_PACKAGES[@]}")
    fi
    install_missing 1500 "ROS 1, rendering and video libraries" "${wanted[@]}"
}

install_test_packages() {
    if ! has_browser; then
        install_missing 400 "a browser for the tests" "${TEST_PACKAGES[@]}"
    fi
}

# install_missing MB WHAT PACKAGE…: install those that dpkg does not have.
install_missing() {
    local megabytes="$1" what="$2" wanted=("${@:3}") missing known
    command -v dpkg-query > /dev/null ||
        fail "this is not Debian or Ubuntu (no dpkg): install ROS 1 at $ROS_ROOT_DIR yourself, or use Debian 12."
    mapfile -t missing < <(missing_packages "${wanted[@]}")
    if [ "${#missing[@]}" = 0 ]; then
        say "system packages: all ${#wanted[@]} are installed"
        return
    fi
    need_root "${missing[@]}"
    need_disk / "$megabytes" "installing the system packages"
    export DEBIAN_FRONTEND=noninteractive
    # A run that was killed may have left packages unpacked but not configured.
    quietly as_root dpkg --configure -a || explain "finishing an interrupted package installation"
    say "system packages: asking the archive for its list (apt-get update)"
    # apt-get update reports an unreachable archive as a warning unless told otherwise.
    quietly as_root apt-get update -o APT::Update::Error-Mode=any -o Acquire::Retries=2 || {
        quietly as_root apt-get update || explain "apt-get update"
    }
    known="$(apt-cache show "${missing[@]}" 2> /dev/null | awk '/^Package:/{print $2}')"
    case $'\n'"$known"$'\n' in
        *$'\nros-core\n'*) ;;
        *) [[ " ${missing[*]} " != *" ros-core "* ]] ||
            explain "the archive offers no ROS 1 package (Debian 12 does; on Ubuntu 20.04 install ROS Noetic first): apt-get update" ;;
    esac
    say "system packages: installing ${#missing[@]} ($what)"
    quietly as_root apt-get install -y --no-install-recommends -o Acquire::Retries=3 "${missing[@]}" ||
        explain "installing the system packages"
    say "system packages: done"
}
