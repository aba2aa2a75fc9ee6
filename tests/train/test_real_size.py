"""The 450 M architecture: counted, saved, loaded, trained for one step. And the nano base."""

from __future__ import annotations

import pytest

from kuavo_train.checkpoint.reader import load, open_checkpoint
from kuavo_train.policy.base_model import write_base

from .conftest import STAGES, Curriculum


def test_the_nano_base_has_a_few_million_parameters_and_is_reproducible(tmp_path):
    count = write_base(tmp_path / "one", "nano")
    assert 3_000_000 < count < 8_000_000
    write_base(tmp_path / "two", "nano")
    one, two = (tmp_path / name / "model.safetensors" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_450m_architecture_trains_one_step(tmp_path, recorded):
    """As `lerobot/smolvla_base` from a local folder, with the base configuration's freezing."""
    base = tmp_path / "smolvla_base"
    assert write_base(base, "smolvla_450m") == 450_046_176
    run = Curriculum(tmp_path / "out", recorded, base)
    content = run.train(
        STAGES[0],
        "freezing=expert_only",
        "training.batch_size=1",
        "training.steps_per_epoch=1",
        "training.save_epochs=9",
        "sequential.stage1.epochs=1",
        "validation.frames=1",
        "validation.sampled_frames=1",
    )
    assert content["steps"] == 1
    (base / "model.safetensors").unlink()
    policy = load(open_checkpoint(run.output / STAGES[0] / "best"), "cpu").policy
    assert sum(p.numel() for p in policy.parameters()) == 450_046_176
    assert policy.config.chunk_size == 50
    assert len(policy.model.vlm_with_expert.get_vlm_model().text_model.layers) == 16
