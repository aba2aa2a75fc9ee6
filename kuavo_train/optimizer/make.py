"""AdamW for everything, or Muon for the matrices of hidden layers and AdamW for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kuavo_train.optimizer.muon import MuonAdamW

_EDGES = "embed", "action_in_proj", "action_out_proj", "state_proj", "pointing.", "classes."
"""Matrices at the edges of a network are no hidden layer's."""


class Named(NamedTuple):
    """An optimizer, and its parameters' names in its own order."""

    optimizer: torch.optim.Optimizer
    names: list[str]


def make_optimizer(
    kind: str,
    parameters: Mapping[str, Tensor],
    rate: float,
    betas: tuple[float, float],
    weight_decay: float,
    hidden_rate: float,
) -> Named:
    """An optimizer of `parameters`.

    Args:
        kind: one of `kuavo_train.optimizer.KINDS`.
        parameters: by name.
        rate: learning rate.
        betas: AdamW's.
        weight_decay: decoupled.
        hidden_rate: Muon's learning rate as a factor of `rate`.
    """
    if kind == "adamw":
        adamw = torch.optim.AdamW(
            list(parameters.values()), lr=rate, betas=betas, weight_decay=weight_decay
        )
        return Named(adamw, list(parameters))
    hidden = {name: p for name, p in parameters.items() if _is_hidden(name, p)}
    others = {name: p for name, p in parameters.items() if name not in hidden}
    groups: list[dict[str, Any]] = [
        {"params": list(others.values())},
        {"params": list(hidden.values()), "muon": True, "share": hidden_rate},
    ]
    both = MuonAdamW([group for group in groups if group["params"]], rate, betas, weight_decay)
    return Named(both, [*others, *hidden])


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of all groups, each with its share."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("share", 1.0)


def state_of(named: Named) -> dict[str, Tensor]:
    """What has to be stored, by `parameter/part`."""
    parameters = [p for group in named.optimizer.param_groups for p in group["params"]]
    return {
        f"{name}/{part}": value.detach().cpu().contiguous()
        for name, parameter in zip(named.names, parameters, strict=True)
        for part, value in named.optimizer.state.get(parameter, {}).items()
    }


def put_state(named: Named, stored: Mapping[str, Tensor]) -> None:
    """Put what `state_of` gave into a fresh optimizer."""
    known = {name: index for index, name in enumerate(named.names)}
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in stored.items():
        name, _, part = key.rpartition("/")
        state.setdefault(known[name], {})[part] = value
    optimizer = named.optimizer
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _is_hidden(name: str, parameter: Tensor) -> bool:
    return parameter.dim() == 2 and not any(edge in name for edge in _EDGES)
