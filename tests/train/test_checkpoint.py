"""Checkpoints: self-contained, verified, atomic, and readable by stock lerobot."""

from __future__ import annotations

import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from lerobot.configs.policies import PreTrainedConfig
from safetensors.torch import save_file

from kuavo_train.checkpoint.atomic import atomic_folder, clean
from kuavo_train.checkpoint.manifest import hash_files, read_manifest, verify
from kuavo_train.checkpoint.reader import load, open_checkpoint, read_config
from kuavo_train.checkpoint.relocate import relocate
from kuavo_train.errors import CheckpointError
from kuavo_train.policy.flow_loss import LOSS_VERSION
from kuavo_train.wrapper.policy.smolvla.SmolVLAPolicyWrapper import SmolVLAPolicyWrapper

from .conftest import REPOSITORY, STAGES


def test_the_manifest_tells_where_it_comes_from(checkpoint, tasks):
    manifest = read_manifest(checkpoint)
    lineage = manifest.lineage
    assert lineage.stage == "4"
    assert lineage.loss_version == LOSS_VERSION
    assert {"torch", "lerobot", "transformers"} <= set(lineage.packages)
    assert [t.instruction for t in lineage.tasks] == [t.instruction for t in tasks.values()]
    assert all(len(t.trained) == 3 and len(t.held_out) == 1 for t in lineage.tasks)
    assert len(manifest.normalization_hash) == 64
    assert set(manifest.files) >= {"model.safetensors", "config.json", "training_config.yaml"}
    assert any(name.startswith("vlm/") for name in manifest.files)
    assert not any(name.endswith((".pt", ".pth", ".pkl", ".bin")) for name in manifest.files)


def test_any_flipped_byte_is_found(checkpoint):
    rng = np.random.default_rng(0)
    for name in read_manifest(checkpoint).files:
        file = checkpoint / name
        whole = file.read_bytes()
        broken = bytearray(whole)
        broken[int(rng.integers(len(broken)))] ^= 1 << int(rng.integers(8))
        file.write_bytes(broken)
        with pytest.raises(CheckpointError, match=name):
            open_checkpoint(checkpoint)
        file.write_bytes(whole)
    open_checkpoint(checkpoint)


def test_missing_files_and_folders(checkpoint, tmp_path):
    (checkpoint / "vlm" / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"incomplete: missing vlm/tokenizer\.json"):
        open_checkpoint(checkpoint)
    (checkpoint / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match=r"no manifest\.json"):
        open_checkpoint(checkpoint)
    with pytest.raises(CheckpointError, match="does not exist"):
        open_checkpoint(tmp_path / "nowhere")
    (checkpoint / "manifest.json").write_text("{")
    with pytest.raises(CheckpointError, match="damaged"):
        open_checkpoint(checkpoint)


def reseal(folder: Path) -> None:
    """Make the manifest agree with altered files."""
    content = json.loads((folder / "manifest.json").read_text())
    content["files"] = hash_files(folder)
    (folder / "manifest.json").write_text(json.dumps(content))


def edit_config(folder: Path, change) -> None:
    content = json.loads((folder / "config.json").read_text())
    change(content)
    (folder / "config.json").write_text(json.dumps(content))
    reseal(folder)


def test_the_configuration_is_read_as_lerobot_reads_it(checkpoint):
    assert read_config(checkpoint) == PreTrainedConfig.from_pretrained(checkpoint)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "act"}, "a policy of type 'act', expected 'smolvla'"),
        ({"chunk_siz": 7}, "chunk_siz"),
        ({"chunk_size": "many"}, "many"),
    ],
)
def test_another_policys_configuration(checkpoint, change, message):
    edit_config(checkpoint, lambda c: c.update(change))
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(checkpoint)


def test_another_robots_dimensions(checkpoint):
    edit_config(checkpoint, lambda c: c["output_features"]["action"].update(shape=[7]))
    with pytest.raises(CheckpointError, match="another robot: state and action have 16 and 7"):
        open_checkpoint(checkpoint)


def test_another_robots_cameras(checkpoint):
    def rename(config):
        features = config["input_features"]
        features["observation.images.front"] = features.pop("observation.images.head_cam_h")

    edit_config(checkpoint, rename)
    with pytest.raises(CheckpointError, match="other cameras"):
        open_checkpoint(checkpoint)


def test_another_normalization(checkpoint, trained):
    content = json.loads((checkpoint / "manifest.json").read_text())
    content["normalization_hash"] = "0" * 64
    (checkpoint / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="normalization is not the one"):
        open_checkpoint(checkpoint)


def test_unknown_dtype_and_bfloat16(checkpoint):
    opened = open_checkpoint(checkpoint)
    with pytest.raises(CheckpointError, match="float32, bfloat16"):
        load(opened, "cpu", "int3")
    assert {p.dtype for p in load(opened, "cpu").policy.parameters()} == {torch.float32}
    exact = SmolVLAPolicyWrapper(opened, load(opened, "cpu"))
    half = SmolVLAPolicyWrapper(opened, load(opened, "cpu", "bfloat16"))
    assert next(half.policy.parameters()).dtype == torch.bfloat16
    noise = torch.randn(1, 6, 32, generator=torch.Generator().manual_seed(0))
    seen = {**observation(), "task": "weigh it"}
    one, other = (p.predict_action_chunk(seen, noise) for p in (exact, half))
    assert other.dtype == torch.float32
    torch.testing.assert_close(one, other, atol=0.03, rtol=0)


def observation(seed=0):
    rng = np.random.default_rng(seed)
    names = ("head_cam_h", "wrist_cam_l", "wrist_cam_r")
    images = {
        f"observation.images.{n}": rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for n in names
    }
    return {**images, "observation.state": rng.normal(size=16).astype(np.float32)}


STOCK = """
import socket, sys, numpy as np, torch
def refuse(*_): raise OSError("this process has no network")
socket.socket.connect = refuse
torch.set_num_threads(1)
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
from lerobot.policies.factory import make_pre_post_processors
folder, inputs, output = sys.argv[1:]
policy = SmolVLAPolicy.from_pretrained(folder)
before, after = make_pre_post_processors(policy.config, pretrained_path=folder)
data = np.load(inputs)
raw = {k: torch.from_numpy(data[k]).permute(2, 0, 1).float() / 255 for k in data if "images" in k}
raw["observation.state"] = torch.from_numpy(data["observation.state"])
raw["task"] = str(data["task"])
chunk = policy.predict_action_chunk(before(raw), noise=torch.from_numpy(data["noise"]))
stock = after(chunk)[0].numpy()
sys.path.insert(0, ROOT)
from kuavo_train.wrapper.policy.smolvla.SmolVLAPolicyWrapper import SmolVLAPolicyWrapper
ours = SmolVLAPolicyWrapper.from_pretrained(folder)
mine = {k: data[k] for k in data if k.startswith("observation")} | {"task": str(data["task"])}
chunk = ours.predict_action_chunk(mine, noise=torch.from_numpy(data["noise"])).numpy()
np.savez(output, stock=stock, ours=chunk)
"""


def test_loads_without_a_network_and_stock_lerobot_gives_the_same_actions(
    checkpoint, tasks, tmp_path
):
    """In a process whose network is cut, from a copied folder, with an empty cache."""
    relocate(checkpoint)
    noise = torch.randn(1, 6, 32, generator=torch.Generator().manual_seed(0)).numpy()
    np.savez(tmp_path / "in.npz", **observation(), noise=noise, task=tasks["placement"].instruction)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "empty")}
    script = STOCK.replace("ROOT", repr(str(REPOSITORY)))
    command = [sys.executable, "-c", script, checkpoint, tmp_path / "in.npz", tmp_path / "out.npz"]
    may_cut = subprocess.run(["unshare", "-n", "true"], check=False).returncode == 0
    cut = ["unshare", "-n"] if may_cut else []  # the script refuses to connect anyway
    subprocess.run([*cut, *map(str, command)], check=True, env=environment, cwd=tmp_path)
    result = np.load(tmp_path / "out.npz")
    assert result["stock"].shape == (6, 20)
    np.testing.assert_allclose(result["ours"], result["stock"], atol=1e-5)
    assert np.ptp(result["ours"], axis=0).max() > 0


def test_relocating_keeps_weights_and_lineage(checkpoint):
    before = read_manifest(checkpoint)
    assert relocate(checkpoint) == str(checkpoint / "vlm")
    after = read_manifest(checkpoint)
    verify(checkpoint, after)
    assert after.lineage == before.lineage
    assert after.files["model.safetensors"] == before.files["model.safetensors"]


# ------------------------------------------------------------------ atomic writing


def content(folder: Path) -> set[bytes]:
    return {f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def write(target: Path, mark: bytes, files: int = 20) -> None:
    with atomic_folder(target) as work:
        for index in range(files):
            (work / f"{index}.bin").write_bytes(mark * 20_000)


def test_a_folder_appears_whole_and_replaces_whole(tmp_path):
    target = tmp_path / "best"
    write(target, b"a")
    write(target, b"b")
    assert content(target) == {b"b" * 20_000}
    assert os.listdir(tmp_path) == ["best"]


def test_an_error_while_writing_leaves_the_old_one(tmp_path):
    target = tmp_path / "best"
    write(target, b"a")
    with pytest.raises(RuntimeError), atomic_folder(target) as work:
        (work / "x").write_text("half")
        raise RuntimeError("power")
    assert content(target) == {b"a" * 20_000}
    assert os.listdir(tmp_path) == ["best"]


def _write_forever(target: Path) -> None:
    while True:
        for mark in (b"a", b"b"):
            write(target, mark)


def test_kill_9_at_any_moment_leaves_a_whole_folder(tmp_path):
    target = tmp_path / "best"
    write(target, b"a")
    rng = np.random.default_rng(0)
    for _ in range(10):
        process = get_context("fork").Process(target=_write_forever, args=(target,))
        process.start()
        time.sleep(float(rng.uniform(0.005, 0.06)))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert len(list(target.iterdir())) == 20
        assert content(target) in ({b"a" * 20_000}, {b"b" * 20_000})
    clean(target)
    assert os.listdir(tmp_path) == ["best"]


FILE_OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod"}


def _write_until(target: Path, mark: bytes, last: int) -> None:
    seen = 0

    def hook(event: str, _) -> None:
        nonlocal seen
        if event in FILE_OPERATIONS:
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    write(target, mark, files=3)
    os._exit(0)


def test_kill_9_before_each_file_operation_leaves_a_whole_folder(tmp_path):
    """Python announces every operation to a hook: here the process dies in it."""
    target = tmp_path / "best"
    write(target, b"a", files=3)
    for last, mark in zip(range(1, 200), itertools.cycle([b"b", b"c"])):
        before = content(target)
        process = get_context("fork").Process(target=_write_until, args=(target, mark, last))
        process.start()
        process.join()
        assert len(list(target.iterdir())) == 3
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        assert content(target) in (before, {mark * 20_000})
    assert last > 15
    assert content(target) == {mark * 20_000}


def write_weights(target: Path, mark: bytes) -> None:
    with atomic_folder(target) as work:
        save_file({"w": torch.zeros(20_000)}, work / "model.safetensors")


def _write_with_little_space(writer, target: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    try:
        writer(target, b"b")
    except CheckpointError as error:
        os._exit(7 if "what was there before is whole" in str(error) else 8)
    os._exit(0)


@pytest.mark.parametrize("writer", [write, write_weights])
def test_a_full_disk_leaves_the_old_one_and_says_so(tmp_path, writer):
    target = tmp_path / "best"
    write(target, b"a")
    process = get_context("fork").Process(target=_write_with_little_space, args=(writer, target))
    process.start()
    process.join()
    assert process.exitcode == 7
    assert content(target) == {b"a" * 20_000}
    assert os.listdir(tmp_path) == ["best"]


def test_other_processes_unfinished_folders_are_left_alone(tmp_path):
    running = tmp_path / ".best.writing-1"  # process 1 always runs
    running.mkdir()
    dead = tmp_path / ".best.writing-999999999"
    dead.mkdir()
    write(tmp_path / "best", b"a")
    assert running.is_dir()
    assert not dead.exists()


def test_a_copied_checkpoint_needs_nothing_of_the_old_place(trained, tmp_path):
    run, _ = trained
    moved = tmp_path / "elsewhere"
    shutil.copytree(run.output / STAGES[1] / "best", moved)
    policy = SmolVLAPolicyWrapper.from_pretrained(moved)
    assert policy.policy.config.vlm_model_name == str(moved / "vlm")
