"""The simulation's own reports: the rubric as JSON, real-time factor and rates on /diagnostics."""

from __future__ import annotations

import rospy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import String

from kuavo_sim.nodes.sim.publishers import Publishers
from kuavo_sim.ros.cameras import Shutter
from kuavo_sim.ros.pace import Pace
from kuavo_sim.ros.settings import Settings
from kuavo_sim.ros.status import Health, state_json
from kuavo_sim.ros.world import World

SKIPPED = 0.5
"""Of a second's images; when more are skipped, the policy sees too few."""
PATIENCE = 5
"""Reports in a row that may be slow: others start beside it."""
HINT_PERIOD = 30.0
"""Between two hints in the log [s]."""


def slow_text(health: Health) -> str:
    """What is wrong with a computer that is too slow, and what helps."""
    return (
        f"this computer is too slow for the simulation: {health.real_time_factor:.2f} of real "
        f"time, {health.camera_hz:.1f} images a second in all; with clock:=true (of sim.launch: "
        "and wait_for_images:=true) everything waits for it"
    )


class Reports:
    """Publishes `/kuavo_sim/state` and `/diagnostics` when told to."""

    def __init__(
        self, world: World, settings: Settings, pace: Pace, publishers: Publishers, shutter: Shutter
    ) -> None:
        self._world, self._settings, self._pace = world, settings, pace
        self._meters, self._shutter = publishers.meters, shutter
        self._skipped = self._slow_for = 0
        self._state = rospy.Publisher("/kuavo_sim/state", String, queue_size=4, latch=True)
        self._diagnostics = rospy.Publisher("/diagnostics", DiagnosticArray, queue_size=4)

    def state(self) -> None:
        """Publish the rubric's state."""
        self._state.publish(String(state_json(self._world)))

    def diagnostics(self) -> None:
        """Publish how well the simulation keeps up."""
        health = self._health()
        values = {
            "real time factor": f"{health.real_time_factor:.3f}",
            "wanted": f"{health.wanted:g}",
            "joint states per second": f"{health.sensors_hz:.1f}",
            "images per second": f"{health.camera_hz:.1f}",
            "exposures skipped": str(health.skipped),
            "time given up [s]": f"{health.lost:.2f}",
        }
        with self._world.lock:
            refusals = dict(self._world.refusals)
        values.update({f"refused: {reason}": str(count) for reason, count in refusals.items()})
        status = DiagnosticStatus(
            level=DiagnosticStatus.OK if health.keeps_up else DiagnosticStatus.WARN,
            name="kuavo_sim: simulation",
            message="in time" if health.keeps_up else "slower than wanted",
            hardware_id="kuavo_sim",
            values=[KeyValue(key, value) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = rospy.Time.now()
        self._diagnostics.publish(array)
        self._hint(health)

    def _hint(self, health: Health) -> None:
        if self._settings.wait_for_images:
            return  # it is to be slow rather than incomplete
        slow = not health.keeps_up or health.skipped > SKIPPED * self._settings.camera_hz
        self._slow_for = self._slow_for + 1 if slow else 0
        if self._slow_for > PATIENCE:
            rospy.logwarn_throttle(HINT_PERIOD, slow_text(health))

    def _health(self) -> Health:
        skipped = self._shutter.skipped
        new, self._skipped = skipped - self._skipped, skipped
        return Health(
            self._pace.real_time_factor,
            self._settings.rate,
            self._meters.sensors.read(),
            self._meters.cameras.read(),
            new,
            self._pace.lost,
        )
