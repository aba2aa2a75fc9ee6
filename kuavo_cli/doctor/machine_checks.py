"""Rendering, GPU, video and disk.

What may crash or hang a process (a GL driver, CUDA) is asked in a child process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from kuavo_cli.doctor.result import Result

RENDER = """
import mujoco
model = mujoco.MjModel.from_xml_string(
    '<mujoco><worldbody><light pos="0 0 3"/><geom type="plane" size="1 1 .1" rgba="1 1 1 1"/>'
    '</worldbody></mujoco>')
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
with mujoco.Renderer(model, 48, 64) as renderer:
    renderer.update_scene(data)
    print(int(renderer.render().max()))
"""

GPU = """
import torch
if torch.cuda.is_available():
    free, total = torch.cuda.mem_get_info()
    print(f"{torch.cuda.get_device_name()}, {total / 2**30:.0f} GiB ({free / 2**30:.0f} free)")
"""


def _child(code: str, timeout_s: float, **environment: str) -> tuple[bool, str]:
    """Run Python `code`; whether it succeeded, and its last line of output."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env={**os.environ, **environment},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer within {timeout_s:.0f} s"
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    if done.returncode < 0 and not lines:
        return False, f"killed by signal {-done.returncode}"
    return done.returncode == 0, lines[-1] if lines else ""


def check_rendering(timeout_s: float = 60.0) -> Result:
    """Can MuJoCo draw here, and with which backend?"""
    asked = os.environ.get("MUJOCO_GL")
    backends = [asked] if asked else ["egl", "osmesa"]
    problems = []
    for backend in backends:
        drew, answer = _child(RENDER, timeout_s, MUJOCO_GL=backend)
        if drew and answer.isdigit() and int(answer) > 0:
            return Result("rendering", "ok", f"MuJoCo draws with MUJOCO_GL={backend}")
        problems.append(f"MUJOCO_GL={backend}: {'a black image' if drew else answer}")
    fix = "make setup (installs libegl1 and libosmesa6)"
    if asked:
        fix = f"export MUJOCO_GL={'egl' if asked == 'osmesa' else 'osmesa'}, or {fix}"
    return Result("rendering", "fail", "; ".join(problems), fix)


def check_gpu(timeout_s: float = 120.0) -> Result:
    """Is there an NVIDIA GPU that torch can use?"""
    worked, answer = _child(GPU, timeout_s)
    if not worked:
        return Result("gpu", "warn", f"torch fails: {answer}", "make setup")
    if answer:
        return Result("gpu", "ok", answer)
    return Result(
        "gpu",
        "info",
        "none that torch can use: everything runs on the CPU, slowly",
        "with an NVIDIA GPU: install its driver (nvidia-smi must list it)",
    )


def check_video() -> Result:
    """Are the encoders of datasets and demo videos in PyAV?"""
    try:
        import av
    except ImportError as error:
        return Result("video", "fail", f"cannot import av: {error}", "make setup")
    there = []
    for name in ("libsvtav1", "libx264"):
        try:
            av.codec.Codec(name, "w")
        except ValueError:
            continue
        there.append(name)
    if "libsvtav1" not in there:
        return Result("video", "fail", f"PyAV {av.__version__} lacks libsvtav1", "make setup")
    return Result("video", "ok", f"PyAV {av.__version__} with {', '.join(there)}")


def check_disk(folder: Path | None = None, enough_gb: float = 10.0) -> Result:
    """Is there room for recordings and checkpoints where commands are run?"""
    folder = folder or Path.cwd()
    free_gb = shutil.disk_usage(folder).free / 1e9
    found = f"{free_gb:.0f} GB free in {folder}"
    if free_gb < 1:
        return Result("disk", "fail", found, "free some space: nothing can be recorded here")
    if free_gb < enough_gb:
        return Result(
            "disk", "warn", found, f"have {enough_gb:.0f} GB for recordings and checkpoints"
        )
    return Result("disk", "ok", found)
