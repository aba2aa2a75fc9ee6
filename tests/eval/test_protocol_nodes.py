"""The whole hardware protocol on the simulated robot: real nodes, bags, signals and a terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from kuavo_eval.hardware.plan import Plan, read_plan
from kuavo_eval.ros.console import SAY
from kuavo_eval.trials import read_trials, scored
from kuavo_train.data.bags.options import Options
from kuavo_train.data.bags.tracks import read_tracks
from tests.deploy.ros_island import Island, until
from tests.deploy.tiny_policy import write_tiny_checkpoint

from .page_numbers import check_page
from .terminal import Terminal

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(3000)]
ROSLAUNCH = ("roslaunch", "kuavo_deploy", "eval.launch")
PATIENCE = 600.0
"""Real nodes on a machine that others use too start when they can [s]."""
SMALL = ("width:=64", "height:=48", "device:=cpu", "clock:=true", "sim:=true")


@pytest.fixture(scope="module")
def checkpoints(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two policies that know nothing and move a little around the start posture."""
    folder = tmp_path_factory.mktemp("checkpoints")
    posture = yaml.safe_load((root / "configs/deploy/start_postures.yaml").read_text())["weighing"]
    return {
        name: write_tiny_checkpoint(folder / name, np.array(posture), seed=seed)
        for seed, name in enumerate(("old", "new"))
    }


@pytest.fixture
def island(shell_environment: dict[str, str], tmp_path: Path) -> Iterator[Island]:
    island = Island(shell_environment, tmp_path)
    yield island
    island.end()


def kuavo(island: Island, folder: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        ["kuavo", "eval", *arguments], env=island.environment, cwd=folder, capture_output=True,
        text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def planned(
    island: Island, folder: Path, checkpoints: dict[str, Path], *arguments: str
) -> tuple[Path, Plan]:
    """A locked plan that `kuavo eval plan` wrote."""
    named = [f"--checkpoint={name}={path}" for name, path in checkpoints.items()]
    kuavo(island, folder, "plan", *named, "--task=weighing", "--repeats=1", *arguments)
    file = folder / "eval" / "trials.yaml"
    return file, read_plan(file)


def launch(island: Island, file: Path, out: Path, *arguments: str) -> list[str]:
    where = f"plan:={file}", f"out:={out}"
    return [*ROSLAUNCH, "-p", str(island.port), *where, *SMALL, *arguments]


def pid_of(island: Island, node: str) -> int:
    master = xmlrpc.client.ServerProxy(island.environment["ROS_MASTER_URI"])
    uri = master.lookupNode("/test", node)[2]  # type: ignore[index]
    return int(xmlrpc.client.ServerProxy(str(uri)).getPid("/test")[2])  # type: ignore[index]


def living(island: Island) -> list[str]:
    """Command lines of the processes on this master."""
    mark = f"ROS_MASTER_URI={island.environment['ROS_MASTER_URI']}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # it has ended, or is not ours
    return [line for line in found if line]


def until_alone(island: Island) -> None:
    until(lambda: not living(island), f"everything has ended: {living(island)}", PATIENCE)


def test_a_blinded_plan_of_two_checkpoints_is_killed_interrupted_and_done_once(
    island: Island, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    """Plan, trials with kill -9 and Ctrl-C in the middle, report, unblinded report, comparison."""
    file, plan = planned(
        island, tmp_path, checkpoints, "--starts=1", "--blind", "--time-limit=3", "--seed=1000"
    )
    first, second = plan.trials
    out = tmp_path / "out"

    def recording(trial) -> bool:
        return bool(list((out / "bags").glob(f"{trial.trial}_{trial.checkpoint}_*.active")))

    def session() -> subprocess.Popen[bytes]:
        return island.start(*launch(island, file, out, "judge:=scene"))

    running = session()
    until(lambda: recording(first), "the first trial is recorded", PATIENCE)
    os.kill(pid_of(island, "/kuavo_eval"), signal.SIGKILL)
    running.wait(PATIENCE)
    until_alone(island)  # the policy and the recorder do not survive who started them
    assert read_trials(out) == []

    running = session()
    until(lambda: recording(second), "the second trial is recorded", PATIENCE)
    island.interrupt(running, PATIENCE)
    until_alone(island)
    done = read_trials(out)
    assert [(t.trial, t.checkpoint, t.void) for t in done][:1] == [
        (first.trial, first.checkpoint, None)
    ]
    assert [t.void for t in done][1:] == ["the session was interrupted"]

    running = session()
    running.wait(PATIENCE)
    until_alone(island)
    trials = read_trials(out)
    assert trials[: len(done)] == done
    counted = scored(trials)
    assert [(t.trial, t.checkpoint) for t in counted] == [
        (t.trial, t.checkpoint) for t in plan.trials
    ]
    for trial in counted:
        assert trial.source == "ros" and trial.success is False and trial.plan == plan.sha256
        assert trial.failure == "time limit" and trial.duration == pytest.approx(3.0, abs=0.5)
        assert trial.latency is not None and trial.latency.chunks > 0
        assert trial.checkpoint_sha256 == "", "blinded"
        tracks = read_tracks(out / str(trial.bag), Options())
        assert tracks is not None

    printed = kuavo(island, tmp_path, "report", str(out))
    page = (out / "report.html").read_text()
    assert "| A | weighing | 0/1" in printed and "| B | weighing | 0/1" in printed
    for name, checkpoint in checkpoints.items():
        assert str(checkpoint) not in page and f"| {name} |" not in printed
    check_page(out)
    printed = kuavo(island, tmp_path, "report", str(out), "--unblind")
    assert "| old | weighing | 0/1" in printed and "| new | weighing | 0/1" in printed
    check_page(out)
    document = json.loads((out / "scores.json").read_text())
    weights = {plan.checkpoints[letter].weights_sha256 for letter in "AB"}
    assert {c["weights_sha256"] for c in document["checkpoints"].values()} == weights

    kuavo(island, tmp_path, "compare", str(out), str(out), f"--out={tmp_path / 'compared'}")
    compared = json.loads((tmp_path / "compared" / "scores.json").read_text())
    assert compared["sides"]["a"]["label"] == "A" and compared["tasks"]["weighing"]["paired"]
    check_page(tmp_path / "compared")


def test_an_operator_judges_at_the_terminal_and_by_service(
    island: Island, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    file, plan = planned(
        island, tmp_path, {"new": checkpoints["new"]}, "--starts=left,right", "--time-limit=6"
    )
    out = tmp_path / "outputs" / "eval" / "trials"
    # as a person types it: paths from where the terminal is
    command = [*ROSLAUNCH, f"plan:={file.relative_to(tmp_path)}", *SMALL]
    environment = {**island.environment, "ROS_HOME": str(tmp_path / "home")}
    terminal = Terminal([*command, "-p", str(island.port)], environment, tmp_path)

    def say(line: str) -> str:
        return island.ask("rosservice", "call", SAY, f"data: '{line}'")

    try:
        terminal.until(f"trial 1 of 2: weighing from start {plan.trials[0].start}")
        terminal.until("say: go")
        until(lambda: island.state() not in ("", "run"), "it stands before the trial", PATIENCE)
        terminal.type("start")
        terminal.until("'start' is not understood: say go, success, fail")
        terminal.type("go")
        terminal.until("the robot acts, 6 s at most: say stage NAME (grasped, on_scale")
        until(lambda: island.state() == "run", "the robot moves", PATIENCE)
        terminal.type("stage on_scale")
        terminal.type("intervention")
        terminal.type("success")
        terminal.until("success (after in_bin)")
        stands = "ready", "disabled"
        until(lambda: island.state() in stands, "it stands while the next scene is arranged", 5)

        terminal.until("trial 2 of 2")
        terminal.until("say: go")
        assert "arrange the scene" in say("go"), "it answers with what was told last"
        until(lambda: island.state() == "run", "the robot moves", PATIENCE)
        assert "success: True" in say("void the lamp went out")
        terminal.until("void: the lamp went out")
        terminal.until("trial 2 of 2, attempt 2")
        say("go")
        terminal.until("time limit. Say the furthest stage (grasped, on_scale")
        until(lambda: island.state() in stands, "it stands while a person thinks", 5)
        say("stage on_scale")
        say("did moving_grasp")
        say("fail too slow")
        terminal.until("failed: too slow (after on_scale)")
        terminal.until("the plan is through")
        assert terminal.ended() == 0
    finally:
        terminal.close()
    island.stop_listening()
    until_alone(island)

    won, void, lost = read_trials(out)
    assert won.success and won.source == "ros" and won.interventions == 1
    assert won.stages["grasped"] is None, "nobody noted when"
    assert 0 < (won.stages["on_scale"] or 0) <= won.duration < 6.0
    assert void.void == "the lamp went out" and void.success is None
    assert (lost.attempt, lost.success, lost.failure, lost.did) == (
        2, False, "too slow", "moving_grasp",
    )  # fmt: skip
    assert lost.stage == "on_scale" and lost.duration == pytest.approx(6.0, abs=0.5)
    for trial in (won, void, lost):
        assert (out / str(trial.bag)).stat().st_size > 10_000
    printed = kuavo(island, tmp_path, "report", str(out))
    assert "| new | weighing | 1/2" in printed and "void: the lamp went out" in printed
    check_page(out)


def test_the_same_trials_in_simulation_and_through_the_nodes_are_pairs(
    island: Island, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    what = (
        "sim", f"--checkpoint=new={checkpoints['new']}", "--task=weighing", "--episodes=2",
        "--seed=1000", "--time-limit=2", "--height=48", "--width=64", "--device=cpu",
    )  # fmt: skip
    printed = kuavo(island, tmp_path, *what, "--out=nodes", "--ros")
    assert "the plan is through" in printed and "| new | weighing | 0/2" in printed
    kuavo(island, tmp_path, *what, "--out=simulated", "--videos=0", "--workers=1")
    nodes, simulated = (
        {t.trial: (t.task, t.seed, t.start, t.instruction, t.checkpoint_sha256, t.rubric, t.success)
         for t in read_trials(tmp_path / out)}
        for out in ("nodes", "simulated")
    )  # fmt: skip
    assert nodes == simulated and set(nodes) == {"weighing-1000", "weighing-1001"}
    kuavo(island, tmp_path, "compare", "nodes", "simulated", "--out=compared")
    compared = json.loads((tmp_path / "compared" / "scores.json").read_text())
    assert compared["tasks"]["weighing"]["paired"]
    check_page(tmp_path / "nodes")

    again = kuavo(island, tmp_path, *what, "--out=nodes", "--ros")
    assert not re.search(r"trial \d of", again), "everything is done already"
    told = kuavo(island, tmp_path, *what, "--seed=7", "--out=nodes", "--ros", code=1)
    assert "holds another" in told
