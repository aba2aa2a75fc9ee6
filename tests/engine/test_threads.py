"""The number of threads is the one that was fastest, and nobody else's number changes."""

from __future__ import annotations

import pytest
import torch

from kuavo_train.engine.threads import LONG, TRIES, Threads


class World:
    """Work that takes a time which depends on the threads."""

    def __init__(self, lasts: dict[int, float]) -> None:
        self.now, self.lasts, self.used = 0.0, lasts, []

    def work(self) -> None:
        self.used.append(torch.get_num_threads())
        self.now += self.lasts[self.used[-1]]


@pytest.fixture(params=[4, 6])
def most(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("fastest", [1, 2, 4])
def test_the_fastest_number_is_kept(most, fastest):
    world = World({count: 0.02 if count == fastest else 0.05 for count in (1, 2, 4, 6)})
    threads = Threads(lambda: world.now)
    while threads.chosen is None:
        threads.run(world.work)
        assert torch.get_num_threads() == most
    assert threads.chosen == fastest
    assert world.used.count(most) == world.used.count(1) == TRIES
    threads.run(world.work)
    assert world.used[-1] == fastest and torch.get_num_threads() == most


def test_long_parts_are_not_tried(most):
    world = World({most: LONG * 2})
    threads = Threads(lambda: world.now)
    threads.run(world.work)
    assert threads.chosen == most


def test_a_failure_leaves_the_number_as_it_was(most):
    threads = Threads()
    threads._to_try = [1]

    def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        threads.run(fail)
    assert torch.get_num_threads() == most
