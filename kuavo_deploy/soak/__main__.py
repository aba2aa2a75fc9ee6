"""`python -m kuavo_deploy.soak CHECKPOINT [--seconds 600] [--out outputs/soak]`.

A roscore, the simulated robot and `policy.launch` of their own; a random task every `--every`
seconds. The folder gets all logs, every arm command (`commands.npz`) and `report.json`. Status 0:
every switch was acknowledged, every command was within its bounds, and every hold and fault is
explained: what was missing, or which joint was blocked, how hard it pushed and what its arm touched
(a barely trained policy runs its arms into the table). All settings are the defaults.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

import numpy as np
import rosgraph
import rospy
from std_srvs.srv import Trigger

from kuavo_deploy.executor.settings import load_settings
from kuavo_deploy.robot.messages import kuavo_msgs
from kuavo_deploy.robot.version import load_limits
from kuavo_deploy.ros import names
from kuavo_deploy.soak.blocked import Scene
from kuavo_deploy.soak.bounds import outside, shares, streams
from kuavo_deploy.soak.processes import Island, resident
from kuavo_deploy.soak.stops import stops
from kuavo_deploy.soak.witness import Witness
from kuavo_train.tasks import load_tasks
from kuavo_train.tasks.registry import configs_root

LOADING = 600.0
"""Until the robot executes the first chunk [s]."""
SCENE = "weighing"
"""The cell in which it runs, whatever it is told."""
NODES = ("/kuavo_executor", "/kuavo_policy")


def main() -> int:
    """Run it; 0 when it went well."""
    arguments = _arguments()
    # an end from outside ends what was started, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments.out.mkdir(parents=True)
    with Island(arguments.out) as island:
        # all nodes are to know whose time it is before they start
        rosgraph.Master("/soak").setParam("/use_sim_time", arguments.clock)
        rospy.init_node("soak", anonymous=True, disable_signals=True)
        witness = Witness()
        clock = str(arguments.clock).lower()
        island.start(
            "roslaunch", "kuavo_deploy", "sim.launch", f"task:={SCENE}", "sensors_hz:=100",
            f"width:={arguments.width}", f"height:={arguments.height}",
            f"camera_hz:={arguments.camera_hz}", f"clock:={clock}", f"wait_for_images:={clock}",
        )  # fmt: skip
        island.start(
            "roslaunch", "kuavo_deploy", "executor.launch", "auto_enable:=true",
        )  # fmt: skip
        island.start(
            "roslaunch", "kuavo_deploy", "policy.launch", f"task:={SCENE}", "executor:=false",
            f"checkpoint:={arguments.checkpoint}", f"device:={arguments.device}",
        )  # fmt: skip
        _until_running(witness)
        report = _soak(witness, arguments)
    text = json.dumps(report, indent=2, ensure_ascii=False)
    (arguments.out / "report.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0 if report["passed"] else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m kuavo_deploy.soak", description=__doc__)
    parser.add_argument("checkpoint", type=lambda text: Path(text).resolve())
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--every", type=float, default=15.0, help="between switches [s]")
    parser.add_argument("--out", type=lambda text: Path(text).resolve(), required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--camera-hz", type=float, default=10.0, help="of the simulated cameras")
    parser.add_argument(
        "--clock", action="store_true",
        help="all seconds are simulated ones, and the simulation waits for its cameras: for a "
        "computer that is too slow to render in real time",
    )  # fmt: skip
    parser.add_argument("--width", type=int, default=160, help="of the simulated images [px]")
    parser.add_argument("--height", type=int, default=120, help="of the simulated images [px]")
    return parser.parse_args()


def _until_running(witness: Witness) -> None:
    end = time.monotonic() + LOADING
    while witness.state != "run":
        if time.monotonic() > end:
            raise SystemExit(f"it does not run: {witness.states[-3:]}")
        time.sleep(0.1)


def _soak(witness: Witness, arguments: argparse.Namespace) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    tasks = [task.name for task in load_tasks().values()]
    say = rospy.ServiceProxy(names.SET_INSTRUCTION, kuavo_msgs("srv").SetString)
    began, before = witness.now(), _memory()
    end, switches, refused = began + arguments.seconds, [], []
    try:
        while witness.now() < end:
            until = min(end, witness.now() + arguments.every)
            while witness.now() < until:
                time.sleep(0.5)
                _operate(witness)
            asked = time.monotonic()
            answer = say(str(rng.choice(tasks)))
            switches.append(time.monotonic() - asked)
            if not answer.success:
                refused.append(answer.message)
    except KeyboardInterrupt:
        pass  # enough: the report says how long it was
    return {
        "seconds": round(witness.now() - began, 1),
        "simulated time": arguments.clock,
        "memory [MiB]": {"at first": before, "at last": _memory()},
        "switches": {
            "number": len(switches), "not acknowledged": refused,
            "acknowledged within [s]": {
                "p50": round(float(np.median(switches or [0])), 4),
                "max": round(max(switches, default=0.0), 4),
            },
        },
        **_verdict(witness, refused, arguments.out),
    }  # fmt: skip


def _operate(witness: Witness) -> None:
    """What an operator would do after a fault; the report tells."""
    for state, service in (("fault", names.RESET_FAULT), ("disabled", names.ENABLE)):
        if witness.state == state:
            rospy.ServiceProxy(service, Trigger)()


def _memory() -> dict[str, float]:
    master = rosgraph.Master(rospy.get_name())
    sizes = {}
    for node in NODES:
        pid = xmlrpc.client.ServerProxy(master.lookupNode(node)).getPid(rospy.get_name())[2]  # type: ignore[index]
        sizes[node] = round(resident(int(pid)), 1)  # type: ignore[arg-type]
    return sizes


def _verdict(witness: Witness, refused: list[str], out: Path) -> dict[str, Any]:
    limits = load_limits(45, configs_root() / "robot")
    gap = load_settings(configs_root() / "deploy" / "executor.yaml").gap
    times, arms = witness.commands()
    np.savez_compressed(out / "commands.npz", times=times, arms=arms)
    parts = streams(times, arms, gap)
    rates = [shares(part, limits) for part in parts]
    worst = {name: round(max(rate[name] for rate in rates), 4) for name in rates[0]}
    excess = max(outside(part, limits) for part in parts)
    scene = Scene(SCENE)
    found = stops(witness, scene, witness.now())
    scene.close()
    felt: dict[str, Any] = {
        f"{at:.1f} {part}": value
        for at, lately in witness.felt.items()
        for part, value in lately._asdict().items()
    }
    np.savez_compressed(out / "faults.npz", **felt)
    unexplained = [stop for stop in found if not stop["explained"]]
    return {
        "commands": len(times),
        "streams": len(parts),
        "largest rate as a share of its limit": worst,
        "outside the position limits [rad]": round(excess, 6),
        "holds and faults": found,
        "not explained": len(unexplained),
        "diagnostics, how often each level": witness.levels,
        "figures": witness.figures,
        "passed": not (unexplained or refused) and excess <= 1e-6 and max(worst.values()) <= 1.0,
    }


if __name__ == "__main__":
    sys.exit(main())
