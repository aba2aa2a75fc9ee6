#!/usr/bin/env python3
"""The simulated Kuavo behind the real robot's topics.

Publishes /sensors_data_raw, /joint_cmd, /odom, the end effector's state, three cameras (and depth,
an overview, /clock if asked), /kuavo_sim/state (JSON), /diagnostics. Obeys /kuavo_arm_traj,
/kuavo_arm_target_poses, the hands' commands, /robot_head_motion_data, /cmd_pose_world, /cmd_pose,
/cmd_vel, /kuavo/pause_state, /kuavo/stop_state. Services: arm modes, claw, gait, /kuavo_sim/reset.
Private parameters: see `kuavo_sim.ros.settings.Settings`. docs/sim.md describes everything.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

os.environ.setdefault("MUJOCO_GL", "egl")

import rospy

from kuavo_sim.nodes.sim.pilot import Pilot
from kuavo_sim.nodes.sim.publishers import Publishers, Stamps
from kuavo_sim.nodes.sim.reports import Reports
from kuavo_sim.nodes.sim.services import offer_reset, offer_services
from kuavo_sim.nodes.sim.subscribers import subscribe_commands
from kuavo_sim.ros.cameras import Cameras, Shutter
from kuavo_sim.ros.pace import Pace
from kuavo_sim.ros.parameters import robot_parameters
from kuavo_sim.ros.settings import Settings
from kuavo_sim.ros.viewer import open_viewer
from kuavo_sim.ros.world import World

_CAMERA_NICENESS = 3
STATE_PERIOD = 0.1
DIAGNOSTICS_PERIOD = 1.0
_PATIENCE = 10.0
"""How long physics waits for the cameras, if it is to [s]."""
_LATE = 2e-5
"""Sleep at least this long per step, so that other threads get their turn [s]."""


class SimNode:
    """Owns the world and its three threads: physics, cameras, and the main one with the reports."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._world = world = World(
            settings.the_task.name,
            settings.seed,
            settings.effector,
            settings.limits,
            settings.velocity_timeout,
        )
        for name, value in robot_parameters(settings, world.sim.model).items():
            rospy.set_param(name, value)
        rospy.set_param("/kuavo_sim/task", settings.the_task.name)
        rospy.set_param("/kuavo_sim/seed", settings.seed)
        shutter = Shutter(_PATIENCE if settings.wait_for_images else 0.0)
        origin = time.time_ns()
        self._pace = Pace(time.monotonic, settings.rate)
        stamps = Stamps(origin, self._pace, world.sim.timestep, follow_wall=not settings.clock)
        publishers = Publishers(settings, stamps, shutter, world.sim.timestep)
        world.listeners.append(publishers.on_step)
        if settings.viewer:
            viewer = open_viewer()
            rospy.on_shutdown(viewer.close)
            world.listeners.append(viewer)
        self._cameras = Cameras(shutter, settings.cameras, publishers.image, publishers.wanted)
        self._reports = Reports(world, settings, self._pace, publishers, shutter)
        self._pilot = Pilot(world, settings.effector, stamps) if settings.expert else None
        self._failed = threading.Event()

    def run(self) -> int:
        """Until ROS shuts down; the exit code."""
        subscribe_commands(self._world, self._settings.obey_operator)
        offer_services(self._world)
        offer_reset(self._reset)
        threads = [
            threading.Thread(target=self._guarded, args=(work,), name=work.__name__)
            for work in (self._run_physics, self._run_cameras)
        ]
        for thread in threads:
            thread.start()
        task = self._world.sim.task
        rospy.loginfo(f"simulated Kuavo ready: {task}, seed {self._settings.seed}")
        if self._pilot is not None:
            threading.Thread(target=self._pilot.begin, daemon=True).start()
        self._report_until_shutdown()
        for thread in threads:
            thread.join()
        return 1 if self._failed.is_set() else 0

    def _run_physics(self) -> None:
        timestep = self._world.sim.timestep
        while not rospy.is_shutdown():
            time.sleep(max(self._pace.wait((self._world.steps + 1) * timestep), _LATE))
            self._world.step()

    def _run_cameras(self) -> None:
        # on Linux a thread has its own niceness: images come late before joint states do
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _CAMERA_NICENESS)
        self._cameras.serve(lambda: not rospy.is_shutdown())

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            if rospy.is_shutdown():
                return  # Ctrl-C closed a topic while it was published on
            self._failed.set()
            rospy.logfatal(f"the simulation stops: {error!r}")
            rospy.signal_shutdown(f"{error!r}")
            raise

    def _report_until_shutdown(self) -> None:
        next_diagnostics = time.monotonic() + DIAGNOSTICS_PERIOD
        while not rospy.is_shutdown():
            self._reports.state()
            if time.monotonic() >= next_diagnostics:
                next_diagnostics += DIAGNOSTICS_PERIOD
                self._reports.diagnostics()
            time.sleep(STATE_PERIOD)

    def _reset(self) -> str:
        wanted = {
            "task": rospy.get_param("/kuavo_sim/task"),
            "seed": rospy.get_param("/kuavo_sim/seed"),
        }
        checked = Settings.from_parameters(wanted)
        with self._world.lock:
            if self._pilot is not None:
                self._pilot.leave()
            self._world.reset(checked.the_task.name, checked.seed)
        if self._pilot is not None:
            self._pilot.begin()
        return f"{checked.the_task.name}, seed {checked.seed}"


def main() -> int:
    """Start the node; wrong parameters end it with one sentence."""
    rospy.init_node("kuavo_sim")
    try:
        node = SimNode(Settings.from_parameters(rospy.get_param("~", {})))
    except (ValueError, OSError) as error:
        rospy.logfatal(f"kuavo_sim: {error}")
        return 1
    return node.run()


if __name__ == "__main__":
    sys.exit(main())
