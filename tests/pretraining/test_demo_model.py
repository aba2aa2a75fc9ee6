"""`make demo-model`: steps in order, each once, going on where it stopped; the half-size copy."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from kuavo_cli.main import app
from kuavo_deploy.robot.topics import CAMERAS, IMAGE_FEATURES, STATE_FEATURE
from kuavo_sim.scenes import SCENES
from kuavo_train.checkpoint.half import store_half
from kuavo_train.checkpoint.reader import load, open_checkpoint
from kuavo_train.checkpoint.shipped import shipped_base, shipped_first
from kuavo_train.demo_model.recipe import Step, read_recipe, steps
from kuavo_train.demo_model.run import NOTES, run_steps
from kuavo_train.errors import CheckpointError, TrainingError
from kuavo_train.tasks.registry import configs_root

from .conftest import SIZE

RECIPE = configs_root() / "policy" / "demo_model.yaml"
MAKER = (
    "import pathlib, sys; makes = pathlib.Path(sys.argv[1]);"
    "sys.exit(3) if (makes.parent / 'broken').exists() else makes.mkdir();"
    "(makes.parent / 'log').open('a').write(makes.name + ' ')"
)
PROGRAM = (sys.executable, "-c", MAKER)


def making(out: Path, *names: str) -> list[Step]:
    return [Step(name, [str(out / name)], out / name) for name in names]


def test_every_step_runs_once_in_order_and_its_time_is_noted(tmp_path):
    ticks = iter(range(100))
    notes = run_steps(
        making(tmp_path, "a", "b"), tmp_path, lambda _: None, PROGRAM, lambda: next(ticks)
    )
    assert (tmp_path / "log").read_text() == "a b "
    assert notes["a"]["seconds"] == 1
    run_steps(making(tmp_path, "a", "b"), tmp_path, lambda _: None, PROGRAM)
    assert (tmp_path / "log").read_text() == "a b "


def test_the_shipped_base_spares_making_one(tmp_path):
    whole = steps(read_recipe(RECIPE, []), tmp_path, 2)
    spared = steps(read_recipe(RECIPE, ["pretraining.shipped=true"]), tmp_path, 2)
    others = [step.name for step in whole if step not in spared]
    assert others == ["frames", "base", "first model", "stages"]
    for name in ("first model", "stages"):
        (trained,) = (step for step in spared if step.name == name)
        assert f"policy.pretrained='{shipped_base()}'" in trained.arguments


def test_the_shipped_first_model_spares_training_one(tmp_path):
    whole = {s.name: s for s in steps(read_recipe(RECIPE, []), tmp_path, 2)}
    recipe = read_recipe(RECIPE, ["rescues.shipped=true"])
    spared = {s.name: s for s in steps(recipe, tmp_path, 2)}
    assert set(whole) - set(spared) == {"first model"}
    for task in SCENES:
        rescued = spared[f"rescues of {task}"].arguments
        assert rescued[rescued.index("--policy") + 1] == str(shipped_first())


def test_the_stages_learn_from_demonstrations_and_rescues(tmp_path):
    made = {step.name: step for step in steps(read_recipe(RECIPE, []), tmp_path, 2)}
    first, rescued = made["first model"], made["rescues of weighing"]
    assert "mode=joint" in first.arguments
    assert f"data.root='{tmp_path}/data/{{name}}'" in first.arguments
    assert rescued.arguments[rescued.arguments.index("--policy") + 1] == str(first.makes)
    assert [str(tmp_path / part / "weighing") for part in ("data", "rescues")] == made[
        "all of weighing"
    ].arguments[2:4]
    assert f"data.root='{tmp_path}/all/{{name}}'" in made["stages"].arguments


def test_beginnings_and_endings_are_joined_to_the_whole_demonstrations(tmp_path):
    recipe = read_recipe(RECIPE, ["endings.episodes=3"])
    del recipe.beginnings.seconds["weighing"], recipe.endings.stages["weighing"]
    del recipe.endings.stages["placement"]
    made = {step.name: step for step in steps(recipe, tmp_path, 2)}
    cut, late = made["beginnings of sorting"].arguments, made["endings of sorting"].arguments
    assert cut[cut.index("--seconds") + 1] == "9.0" and "--from" not in cut
    assert late[late.index("--from") + 1] == "at_placement" and "--seconds" not in late
    assert late[late.index("--episodes") + 1] == "3"
    for part in (cut, late):
        assert "--clumsy" not in part and "--glance" in part
    for task, parts in (
        ("sorting", ["whole", "beginnings", "endings"]), ("placement", ["whole", "beginnings"])
    ):  # fmt: skip
        joined = made[f"whole and parts of {task}"]
        sources = joined.arguments[2 : joined.arguments.index("--out")]
        assert sources == [str(tmp_path / part / task) for part in parts]
        assert joined.makes == tmp_path / "data" / task
    assert not {"beginnings of weighing", "endings of weighing"} & set(made)
    assert made["demonstrations of weighing"].makes == tmp_path / "data" / "weighing"


def test_without_parts_nothing_is_joined_to_the_demonstrations(tmp_path):
    made = steps(
        read_recipe(RECIPE, ["beginnings.episodes=0", "endings.episodes=0"]), tmp_path, 2
    )
    assert not [s.name for s in made if "beginnings" in s.name or "endings" in s.name]
    (recorded,) = (step for step in made if step.name == "demonstrations of sorting")
    assert recorded.makes == tmp_path / "data" / "sorting"


def test_without_rescues_the_stages_learn_from_demonstrations_alone(tmp_path):
    made = steps(read_recipe(RECIPE, ["rescues.scenes=0"]), tmp_path, 2)
    names = [step.name for step in made]
    assert not [name for name in names if name.startswith(("first", "rescues", "all of"))]
    (stages,) = (step for step in made if step.name == "stages")
    assert f"data.root='{tmp_path}/data/{{name}}'" in stages.arguments


def test_a_failed_step_stops_all_and_is_run_again(tmp_path):
    run_steps(making(tmp_path, "a"), tmp_path, lambda _: None, PROGRAM)
    (tmp_path / "broken").touch()
    with pytest.raises(TrainingError, match="step 2 of 3, b ended with 3"):
        run_steps(making(tmp_path, "a", "b", "c"), tmp_path, lambda _: None, PROGRAM)
    assert not json.loads((tmp_path / NOTES).read_text())["b"].get("done")
    (tmp_path / "broken").unlink()
    run_steps(making(tmp_path, "a", "b", "c"), tmp_path, lambda _: None, PROGRAM)
    assert (tmp_path / "log").read_text() == "a b c "


def test_what_was_deleted_is_made_again(tmp_path):
    run_steps(making(tmp_path, "a", "b"), tmp_path, lambda _: None, PROGRAM)
    shutil.rmtree(tmp_path / "b")
    run_steps(making(tmp_path, "a", "b"), tmp_path, lambda _: None, PROGRAM)
    assert (tmp_path / "log").read_text() == "a b b "


def test_a_finished_step_with_other_settings_is_refused(tmp_path):
    run_steps(making(tmp_path, "a"), tmp_path, lambda _: None, PROGRAM)
    other = [Step("a", [str(tmp_path / "a"), "--more"], tmp_path / "a")]
    with pytest.raises(TrainingError, match="--more"):
        run_steps(other, tmp_path, lambda _: None, PROGRAM)


def test_steps_are_commands_that_exist_with_options_that_exist(tmp_path):
    """`--help` at the end parses everything before it and then does nothing."""
    for step in steps(read_recipe(RECIPE, []), tmp_path, 2):
        done = CliRunner().invoke(app, [*step.arguments, "--help"])
        assert done.exit_code == 0, (step.name, done.output)
        wrong = CliRunner().invoke(app, [*step.arguments, "--no-such-option", "--help"])
        assert wrong.exit_code == 2


def test_the_recipe_covers_every_task_and_keeps_the_trials_seeds_apart(tmp_path):
    recipe = read_recipe(RECIPE, ["recording.episodes=3", "trials.episodes=0"])
    names = [step.name for step in steps(recipe, tmp_path, 1)]
    recordings = []
    for task in SCENES:
        kinds = ("demonstrations", "beginnings", "endings", "whole and parts")
        recordings += [f"{kind} of {task}" for kind in kinds]
    rescued = [f"{kind} of {task}" for task in SCENES for kind in ("rescues", "all")]
    expected = ["frames", "base", *recordings, "first model", *rescued, "stages", "model"]
    assert names == expected
    whole = read_recipe(RECIPE, [])
    used = {
        "frames": range(whole.frames.seed, whole.frames.seed + whole.frames.scenes),
        "recording": range(whole.recording.seed, whole.recording.seed + 2 * 200),
        "beginnings": range(whole.beginnings.seed, whole.beginnings.seed + 2 * 200),
        "endings": range(whole.endings.seed, whole.endings.seed + 2 * 200),
        "rescues": range(whole.rescues.seed, whole.rescues.seed + whole.rescues.scenes),
        "trials": range(whole.trials.seed, whole.trials.seed + whole.trials.episodes),
        "experts": range(200),
    }
    seeds = [seed for part in used.values() for seed in part]
    assert len(seeds) == len(set(seeds))


def test_a_wrong_key_of_the_recipe_is_named():
    with pytest.raises(TrainingError, match="episodez"):
        read_recipe(RECIPE, ["recording.episodez=3"])


@pytest.mark.xdist_group("pretraining")
def test_half_the_bytes_say_the_same(pretrained, tmp_path):
    half = tmp_path / "half"
    store_half(pretrained, half)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (pretrained, half)]
    assert sizes[1] < 0.55 * sizes[0]
    generator = torch.Generator().manual_seed(0)
    observation = {
        IMAGE_FEATURES[c]: torch.rand(1, 3, SIZE, SIZE, generator=generator) for c in CAMERAS
    }
    observation |= {STATE_FEATURE: torch.zeros(1, 16), "task": ["find the bin"]}
    chunks = []
    for folder in (pretrained, half):
        loaded = load(open_checkpoint(folder), "cpu")
        noise = torch.randn(1, 6, 32, generator=torch.Generator().manual_seed(1))
        batch = loaded.preprocessor(dict(observation))
        chunks.append(loaded.policy.predict_action_chunk(batch, noise=noise))
    torch.testing.assert_close(*chunks, rtol=0, atol=5e-3)
    with pytest.raises(CheckpointError, match="exists already"):
        store_half(pretrained, half)


MINIATURE = (
    "frames.scenes=2", "frames.moments=3", "recording.episodes=2", "recording.disturbance=0.0",
    "recording.height=96", "recording.width=128", "pretraining.settings=[steps=3,frames=2,"
    "queries=2,held_out=3,validation_batches=1]", "training.settings=[training.batch_size=2,"
    "training.steps_per_epoch=2,validation.frames=2,validation.sampled_frames=1,"
    "validation.fraction=0.5,sequential.stage1.epochs=1,sequential.stage2.epochs=1,"
    "sequential.stage3.epochs=1,sequential.stage4.epochs=1,validation.every_epochs=1,"
    "validation.language_frames=1,sequential.joint.epochs=1]", "trials.episodes=0",
    "rescues.scenes=1", "rescues.moments=2", "beginnings.episodes=2", "endings.episodes=2",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_miniature_of_the_whole_and_a_second_call(tmp_path):
    command = ["kuavo", "train", "demo-model", "--out", str(tmp_path / "out"), "--workers", "1"]
    command += [part for setting in MINIATURE for part in ("-s", setting)]
    subprocess.run(command, check=True, cwd=tmp_path)
    policy = load(open_checkpoint(tmp_path / "out" / "model"), "cpu")
    assert sum(p.numel() for p in policy.policy.parameters()) < 7_400_000  # 15 MB in 16 bits
    again = subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, text=True)
    assert again.stdout.count(": done (") == 29
