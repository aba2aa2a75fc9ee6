# shellcheck shell=bash
# A shell in which python, kuavo, roslaunch, rosrun and pytest just work, in any directory:
#
#     . ./env.sh          (bash or zsh; sourcing it again changes nothing)
#
# It takes ROS from /opt/ros/noetic or from Debian's packages, the Python from .venv/ (made by
# `make setup`), and the robot's message classes from a sourced workspace or else from the SDK.

# Prepend ($1=first) or append ($1=last) directory $3 to the path variable named $2, once.
_kuavo_path() {
    eval "_kuavo_value=\":\${$2:-}:\""
    while :; do
        case "$_kuavo_value" in
            *":$3:"*) _kuavo_value="${_kuavo_value%%":$3:"*}:${_kuavo_value#*":$3:"}" ;;
            *) break ;;
        esac
    done
    _kuavo_value="${_kuavo_value#:}"
    _kuavo_value="${_kuavo_value%:}"
    if [ "$1" = first ]; then
        _kuavo_value="$3${_kuavo_value:+:$_kuavo_value}"
    else
        _kuavo_value="${_kuavo_value:+$_kuavo_value:}$3"
    fi
    eval "export $2=\"\$_kuavo_value\""
}

_kuavo_env() {
    if [ ! -x "$1/.venv/bin/python" ]; then
        echo "env.sh: no .venv in $1 yet: run 'make setup' there first" >&2
        return 1
    fi

    # ROS: its own setup file where it is installed under /opt, else Debian's fixed places.
    _kuavo_ros="${KUAVO_ROS_ROOT:-/opt/ros/noetic}"
    if [ -f "$_kuavo_ros/setup.sh" ]; then
        if [ -z "${ROS_DISTRO:-}" ]; then
            _kuavo_setup="$_kuavo_ros/setup.sh"
            if [ -n "${ZSH_VERSION:-}" ] && [ -f "$_kuavo_ros/setup.zsh" ]; then
                _kuavo_setup="$_kuavo_ros/setup.zsh"
            elif [ -n "${BASH_VERSION:-}" ] && [ -f "$_kuavo_ros/setup.bash" ]; then
                _kuavo_setup="$_kuavo_ros/setup.bash"
            fi
            # ROS's setup files read unset variables.
            case "$-" in *u*) _kuavo_nounset=1 && set +u ;; *) _kuavo_nounset=0 ;; esac
            # shellcheck disable=SC1090
            . "$_kuavo_setup"
            [ "$_kuavo_nounset" = 1 ] && set -u
        fi
    elif [ -d /usr/share/rospy ]; then
        _kuavo_path last ROS_PACKAGE_PATH /usr/share
        export ROS_ETC_DIR="${ROS_ETC_DIR:-/etc/ros}"
    else
        echo "env.sh: ROS 1 is not installed: run 'make setup' in $1" >&2
    fi
    export ROS_MASTER_URI="${ROS_MASTER_URI:-http://localhost:11311}"
    _kuavo_path first ROS_PACKAGE_PATH "$1"

    # The robot's messages: at the end, so that a sourced robot workspace comes before.
    for _kuavo_sdk in "$1"/.venv/lib/python3.*/site-packages/kuavo_humanoid_sdk/msg; do
        [ -d "$_kuavo_sdk" ] && _kuavo_path last PYTHONPATH "$_kuavo_sdk"
    done

    # The virtual environment comes first on PATH, before pyenv's shims.
    case "${VIRTUAL_ENV:-}:$PATH:" in
        "$1/.venv:$1/.venv/bin:"*) ;;
        *)
            # shellcheck disable=SC1091
            . "$1/.venv/bin/activate"
            ;;
    esac
    # The environment brings a CMake 4, and catkin's files ask for one before 3.5.
    export CMAKE_POLICY_VERSION_MINIMUM="${CMAKE_POLICY_VERSION_MINIMUM:-3.5}"
    # Without a screen MuJoCo renders through EGL.
    if [ -z "${MUJOCO_GL:-}" ] && [ -z "${DISPLAY:-}" ]; then
        export MUJOCO_GL=egl
    fi
}

# Where this file lies: each shell says it in its own way.
if [ -n "${ZSH_VERSION:-}" ]; then
    eval '_kuavo_root="${(%):-%x}"'
elif [ -n "${BASH_VERSION:-}" ]; then
    _kuavo_root="${BASH_SOURCE[0]}"
else
    _kuavo_root="./env.sh"
fi
_kuavo_root="$(CDPATH='' cd -- "$(dirname -- "$_kuavo_root")" > /dev/null && pwd)"

_kuavo_env "$_kuavo_root"
_kuavo_status=$?
unset -f _kuavo_env _kuavo_path
unset _kuavo_root _kuavo_ros _kuavo_setup _kuavo_nounset _kuavo_sdk _kuavo_value
# `return` of the status without leaving a variable behind.
if [ "$_kuavo_status" = 0 ]; then unset _kuavo_status; else unset _kuavo_status; return 1; fi
