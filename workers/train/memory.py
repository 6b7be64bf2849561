"""Memory: kept from step to step, and a clear failure when there is not enough of it."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

from archsmith.errors import TrialFailure


@cache
def keep_freed_memory() -> None:
    """Tells the C library to keep up to 256 MiB of the memory that this process frees, for the next step.

    Otherwise activations of a few megabytes are returned to the system and faulted in again at every step: 500 to
    2,600 page faults a step on the reference network, which was 9 to 22 % slower. Only glibc has the call.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(-3, 2**28)  # M_MMAP_THRESHOLD
        mallopt(-1, 2**28)  # M_TRIM_THRESHOLD


@contextmanager
def memory_guard() -> Iterator[None]:
    """Turns running out of memory, on any device, into a TrialFailure (`out_of_memory`).

    On the CPU torch raises a plain RuntimeError, which only its text tells from others.
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _out_of_memory(error) from error
    except RuntimeError as error:
        if "can't allocate memory" in str(error) or "not enough memory" in str(error):
            raise _out_of_memory(error) from error
        raise


def _out_of_memory(error: BaseException) -> TrialFailure:
    return TrialFailure((str(error) or "MemoryError").splitlines()[0][:200], cause="out_of_memory")
