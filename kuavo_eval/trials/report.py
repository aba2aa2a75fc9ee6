"""The page about trials: how often each task succeeded, how far the rest came, what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from kuavo_eval.report import Page
from kuavo_eval.report.figures import COLOURS, line_figure

SOURCES = {
    "simulation": "the simulated robot, with the real one's planner and executor in simulated time",
    "ros": "the simulated robot behind the real robot's topics, through the real nodes",
    "robot": "the robot",
}
_CHANCE = "Whether one is better than the other, or was lucky: kuavo eval compare says that."
_ALL_TRIALS = 60
"""A longer list of trials is left to the table beside the page."""


def report(document: Mapping[str, Any]) -> str:
    """The page, as HTML, from the JSON document."""
    page = Page(
        document,
        "Trials",
        f"How often does the policy do what it is told? On {SOURCES[document['source']]}.",
    )
    several = len(document["checkpoints"]) > 1
    page.verdict("answer", detail=_CHANCE if several else "")
    tables = _Tables(page, document)
    tables.success()
    tables.stages()
    tables.failures()
    tables.aim()
    tables.timing()
    tables.safety()
    tables.voids()
    tables.films()
    tables.trials()
    return page.html()


class _Tables:
    """One method per section."""

    def __init__(self, page: Page, document: Mapping[str, Any]) -> None:
        self._page, self._document = page, document
        self._rows = [
            (label, task, f"checkpoints.{label}.tasks.{task}", figures)
            for label, checkpoint in document["checkpoints"].items()
            for task, figures in checkpoint["tasks"].items()
        ]

    def success(self) -> None:
        """The answer first."""
        self._page.section(
            "Success per task",
            "Successes of all trials that count, with Wilson's 95 % interval. A void trial says "
            "nothing about the policy and does not count.",
        )
        self._conditions()
        operated = ["intervened"] if self._document["source"] == "robot" else []
        self._page.table(
            ["checkpoint", "task", "success", "wrong task", *operated, "void"],
            [
                [
                    label, task,
                    self._page.number(f"{at}.success"), self._page.number(f"{at}.wrong_task"),
                    *(self._page.number(f"{at}.intervened") for _ in operated),
                    self._page.number(f"{at}.voids"),
                ]
                for label, task, at, _ in self._rows
            ],
            "wrong task: another task was done than the commanded one.",
        )  # fmt: skip

    def _conditions(self) -> None:
        conditions = self._document.get("conditions") or {}
        if conditions:
            self._page.facts(
                {
                    item["what"]: self._page.value(f"conditions.{i}.value")
                    for i, item in enumerate(conditions)
                }
            )

    def stages(self) -> None:
        """How far the trials came."""
        self._page.section(
            "How far they came",
            "Part of the trials that reached each stage of the task, and after how long, on the "
            "median. A steep step is where a policy loses its trials.",
        )
        for task in dict.fromkeys(task for _, task, _, _ in self._rows):
            rows = [
                (label, at, figures["stages"])
                for label, name, at, figures in self._rows
                if name == task and figures["stages"]
            ]
            if rows:
                self._stages_of(task, rows)

    def _stages_of(self, task: str, rows: list[tuple[str, str, list[dict[str, Any]]]]) -> None:
        self._page.subsection(task)
        columns = [f"{label}: {what}" for label, *_ in rows for what in ("reached", "after")]
        self._page.table(
            ["stage", *(columns if len(rows) > 1 else ["reached", "after"])],
            [
                [
                    stage["name"],
                    *(
                        self._page.number(f"{at}.stages.{i}.{what}")
                        for _, at, _ in rows
                        for what in ("reached", "time")
                    ),
                ]
                for i, stage in enumerate(rows[0][2])
            ],
        )
        figure = line_figure("stage", "reached [%]", height=260, yaxis={"range": [0, 105]})
        for i, (label, _, stages) in enumerate(rows):
            figure.add_scatter(
                x=["start", *(stage["name"] for stage in stages)],
                y=[100, *(100 * stage["reached"]["value"] for stage in stages)],
                name=label,
                showlegend=True,
                line={"shape": "hv", "color": COLOURS[i % len(COLOURS)]},
            )
        self._page.figure(figure, f"Part of the trials of {task} that reached each stage.")

    def failures(self) -> None:
        """What went wrong."""
        rows = self._counted("failures")
        if not rows:
            return
        self._page.section("What went wrong", "Failure tags of the trials without success.")
        self._page.table(["checkpoint", "task", "failure", "trials"], rows)
        instead = self._counted("did_instead")
        if instead:
            self._page.table(
                ["checkpoint", "commanded task", "did instead", "trials"], instead,
                "The instruction was not followed, though a task was done.",
            )  # fmt: skip

    def aim(self) -> None:
        """Where the hand first closed."""
        if not any(figures["aside"]["n"] for *_, figures in self._rows):
            return
        self._page.section(
            "Aim",
            "How far beside the middle of the hand the thing was when the hand first began to "
            "close, on the median. A hand forgives about 2 cm; a policy that does not look goes "
            "where things lie on average.",
        )
        self._page.table(
            ["checkpoint", "task", "aside", "closes after"],
            [
                [label, task, self._page.number(f"{at}.aside"), self._page.number(f"{at}.closes")]
                for label, task, at, _ in self._rows
            ],
        )

    def timing(self) -> None:
        """Durations and latencies."""
        self._page.section(
            "Time", "Median over trials with its 95 % bootstrap interval; the latency is from an "
            "observation to its plan.",
        )  # fmt: skip
        switched = any(figures["switched"] for *_, figures in self._rows)
        headings = ["checkpoint", "task", "duration of a success", "latency", "latency, slowest"]
        self._page.table(
            [*headings, *(["until a switch is followed"] if switched else [])],
            [
                [
                    label, task,
                    *(
                        self._page.number(f"{at}.{name}")
                        for name in (
                            "duration", "latency", "latency_p99",
                            *(["resumed"] if switched else []),
                        )
                    ),
                ]
                for label, task, at, _ in self._rows
            ],
        )  # fmt: skip

    def safety(self) -> None:
        """What the command layer did."""
        rows = self._counted("safety")
        self._page.section(
            "Safety",
            "What the executor, the last process before the robot, did to protect it."
            if rows
            else "The executor never had to step in.",
        )
        if rows:
            self._page.table(["checkpoint", "task", "event", "times"], rows)

    def voids(self) -> None:
        """What did not count."""
        voids = self._document["voids"]
        if not voids:
            return
        self._page.section("Void trials", "Attempts that do not count, with their reasons.")
        self._page.table(
            ["checkpoint", "trial", "attempt", "reason"],
            [
                [
                    void["checkpoint"], self._page.text(f"voids.{i}.trial"),
                    self._page.number(f"voids.{i}.attempt"), self._page.text(f"voids.{i}.reason"),
                ]
                for i, void in enumerate(voids)
            ],
        )  # fmt: skip

    def films(self) -> None:
        """Of the first failures, or of everything."""
        videos = self._document["videos"]
        if not videos:
            return
        self._page.section("Films", "Room, head camera, both wrists; below them what happens.")
        for video in videos:
            self._page.add(
                Markup(
                    '<figure data-fixed><video controls preload="metadata" style="max-width:100%" '
                    'src="{}"></video><figcaption>{}</figcaption></figure>'
                ).format(video["file"], video["caption"])
            )

    def trials(self) -> None:
        """Each of them."""
        trials = self._document["trials"]
        if len(trials) > _ALL_TRIALS:
            self._page.section("Every trial", "All of them stand in trials.parquet beside it.")
            return
        self._page.section("Every trial")
        noted = ["note"] if any(trial["note"] for trial in trials) else []
        self._page.table(
            ["trial", "checkpoint", "start", "result", "stage", "duration", "why", *noted],
            [
                [
                    self._page.text(f"trials.{i}.trial"), trial["checkpoint"],
                    self._page.text(f"trials.{i}.start"), trial["result"], trial["stage"],
                    self._page.number(f"trials.{i}.duration"),
                    self._page.text(f"trials.{i}.why"),
                    *(self._page.text(f"trials.{i}.note") for _ in noted),
                ]
                for i, trial in enumerate(trials)
            ],
        )  # fmt: skip

    def _counted(self, name: str) -> list[list[Any]]:
        return [
            [
                label, task, self._page.text(f"{at}.{name}.{i}.what"),
                self._page.number(f"{at}.{name}.{i}.count"),
            ]
            for label, task, at, figures in self._rows
            for i in range(len(figures[name]))
        ]  # fmt: skip
