"""Failures of the machine, as sentences that say which setting helps."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from kuavo_train.errors import TrainingError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_MEMORY = ("DefaultCPUAllocator", "not enough memory")
_IN_LOADER = "in DataLoader worker process"


@contextmanager
def explained(batch: int, device: Any) -> Iterator[None]:
    """Turn out of memory, a full disk and a dead loader process into TrainingErrors.

    Args:
        batch: `training.batch_size`.
        device: what the policy runs on.
    """
    try:
        yield
    except TrainingError as error:
        if _IN_LOADER not in str(error):
            raise
        raise type(error)(_sentence(error)) from error
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise out_of_memory(batch, device) from error
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise TrainingError(
            f"the disk is full ({error.filename or 'while writing curves or results'}): the last "
            "checkpoint is whole. Make room (older epoch folders may go), then resume=true"
        ) from error
    except RuntimeError as error:
        if any(text in str(error) for text in _NO_MEMORY):
            raise out_of_memory(batch, device) from error
        if "DataLoader worker" not in str(error) or _IN_LOADER in str(error):
            raise
        raise TrainingError(
            "a process that loads data died, most often for lack of memory or of shared memory "
            "(in a container: docker run --shm-size=8g): try fewer training.num_workers (0 needs "
            f"none), then resume=true. The loader says: {str(error).splitlines()[0]}"
        ) from error


def out_of_memory(batch: int, device: Any) -> TrainingError:
    """The error for a batch that does not fit."""
    smaller = max(1, batch // 2)
    return TrainingError(
        f"out of memory on {device} with training.batch_size={batch}: try "
        f"training.batch_size={smaller} training.gradient_accumulation=2 (the same global batch), "
        "training.mixed_precision=bf16, or freezing=expert_only. The last saved state is whole; "
        "resume=true needs the same settings, so start this stage over with overwrite=true"
    )


def _sentence(error: TrainingError) -> str:
    """A worker's own message; the loader puts its stack trace in front."""
    return str(error).rpartition(f"{type(error).__name__}: ")[2].rstrip()
