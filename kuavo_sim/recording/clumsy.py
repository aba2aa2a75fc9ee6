"""A clumsy demonstrator begins an episode, the expert takes over: ways out of mistakes, cheaply.

It is the expert itself, only that it sees everything up to a few centimetres off, so it reaches
beside things, knocks them, closes its hand on nothing; and half the time it does not notice and
goes on with an empty hand, as policies do. Nothing is rendered and no policy has to
think meanwhile, so such a lead-in costs a second; a policy's own mistakes
(`kuavo_sim.recording.rescues`) are truer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kuavo_sim.env import KuavoEnv
from kuavo_sim.experts import make_expert
from kuavo_sim.experts.base import GivesUp
from kuavo_sim.recording.episodes import TURN, lead

_OBLIVIOUS = 0.5
"""Share of the episodes in which it takes a closed hand for a full one."""
_MISSES = (0.8, 1.6)
"""Then it is off by so many times the squint."""
_UP_OF_ASIDE = 0.3
"""It sees heights so much better than places."""


class Clumsy(NamedTuple):
    """A `kuavo_sim.recording.episodes.LeadIn`.

    squint: what it sees is off by up to this in each direction [m]. earliest, longest: the expert
    takes over at a moment drawn from between them [s]; before 0 means at once. notices, latest:
    or, when it closes its hand on nothing unnoticed, at most so long after that, and at the latest
    then [s].
    """

    squint: float
    earliest: float = -8.0
    longest: float = 12.0
    notices: float = 2.5
    latest: float = 15.0

    def __call__(self, env: KuavoEnv, info: dict[str, Any], seed: int) -> str | None:
        """Drive; see `LeadIn`."""
        rng = np.random.default_rng([seed, 4])
        moment = rng.uniform(self.earliest, self.longest)
        if moment <= 0:
            return None
        clumsy = make_expert(env.sim, rng)
        clumsy.squint = self.squint * rng.uniform(-1, 1, 3) * [1.0, 1.0, _UP_OF_ASIDE]
        clumsy.oblivious = bool(rng.random() < _OBLIVIOUS)
        if clumsy.oblivious:  # far enough off to miss, and driving until it has
            angle, moment = rng.uniform(-np.pi, np.pi), self.latest
            aside = rng.uniform(*_MISSES) * self.squint
            clumsy.squint[:2] = aside * np.cos(angle), aside * np.sin(angle)
        delay = rng.uniform(0.0, self.notices)
        fooled_since: list[float] = []

        def over() -> str | None:
            if clumsy.fooled and not fooled_since:
                fooled_since.append(env.sim.time)
            noticed = bool(fooled_since) and env.sim.time >= fooled_since[0] + delay
            return TURN if noticed or env.sim.time >= moment else None

        def act() -> np.ndarray:
            if clumsy.done:
                raise GivesUp(TURN)
            return clumsy.act()

        return lead(env, info, act, over, "the clumsy demonstrator")

    def describe(self) -> dict[str, Any]:
        """All that decides its course."""
        return {"clumsy": self._asdict()}
