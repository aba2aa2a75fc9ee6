# shellcheck shell=bash
# The virtual environment: made, filled from the lock, survived a kill at any point.

# A marker stands in .venv while packages are being installed. If a run finds it, an earlier one was
# killed: the packages are linked again from uv's cache, because a half-copied one cannot be told
# from a whole one. Downloads that had finished are not repeated.
BUSY="$ROOT/.venv/.installing"
DISK_MB="${KUAVO_SETUP_DISK_MB:-12000}"

venv_works() {
    [ -f "$ROOT/.venv/pyvenv.cfg" ] && [ ! -e "$BUSY" ] &&
        grep -q 'include-system-site-packages = true' "$ROOT/.venv/pyvenv.cfg" &&
        "$ROOT/.venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2> /dev/null
}

make_venv() {
    venv_works && return
    if [ -e "$BUSY" ]; then
        say ".venv: an earlier run was interrupted, making it anew (downloads are kept)"
    else
        say ".venv: making it from $PYTHON"
    fi
    rm -rf "$ROOT/.venv"
    need_disk "$ROOT" "$DISK_MB" "the virtual environment"
    quietly "$UV" venv --system-site-packages "${NO_INDEX[@]}" --python "$PYTHON" "$ROOT/.venv" ||
        explain "making .venv"
}

# Copying instead of a warning where cache and checkout are on different disks.
choose_link_mode() {
    local cache
    cache="$("$UV" cache dir 2> /dev/null)" || return 0
    mkdir -p "$cache" 2> /dev/null || return 0
    [ "$(stat -c %d "$cache")" = "$(stat -c %d "$ROOT")" ] || export UV_LINK_MODE="${UV_LINK_MODE:-copy}"
}

uv_install() {
    quietly env VIRTUAL_ENV="$ROOT/.venv" "$UV" pip install "${NO_INDEX[@]}" "$@"
}

fill_venv() {
    choose_link_mode
    : > "$BUSY"
    say "packages: installing $(grep -c '==' "$ROOT/requirements_total.txt") locked ones (several GB, the longest step)"
    # Compiled now, because many a shell forbids Python to write bytecode (PYTHONDONTWRITEBYTECODE)
    # and then every single start would compile torch anew, 9 s of it.
    uv_install --compile-bytecode -r "$ROOT/requirements_total.txt" ||
        explain "installing the locked packages"
    uv_install pip || explain "installing pip" # for those who add packages of their own
    say "packages: the robot's message classes"
    uv_install --no-deps -r "$ROOT/requirements_messages.txt" || explain "installing the robot's message classes"
    if [ -f "$ROS_ROOT_DIR/setup.sh" ]; then
        uv_install -r "$ROOT/requirements_noetic.txt" || explain "installing what rospy needs"
    fi
    say "packages: this project, editable"
    uv_install --no-deps --no-build-isolation --config-setting editable_mode=compat -e "$ROOT" ||
        explain "installing this project"
    link_messages
    rm -f "$BUSY"
}

# `import kuavo_msgs` without any shell set-up; at the end of the path, after a robot workspace's.
link_messages() {
    local site
    site="$("$ROOT/.venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
    echo "kuavo_humanoid_sdk/msg" > "$site/kuavo_messages.pth"
}

check_venv() {
    local want="import rospy, sensor_msgs.msg, kuavo_msgs.msg, torch, lerobot, mujoco, rosbags"
    [ ! -f "$ROS_ROOT_DIR/setup.sh" ] || want="import torch, lerobot, mujoco, rosbags"
    quietly "$ROOT/.venv/bin/python" -c "$want" || fail "the environment is installed but this fails in it: $want"
}
