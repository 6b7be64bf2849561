"""A function of many files, in two threads or in two processes; the results come in the order of the files either way.

Pillow decodes and scales outside of Python's lock, but opening, checking and unpacking hold it: of 2.8 ms that a
picture of 256 x 192 took, 1.0 ms. Processes are for the reader of uploads (`ingest`), which is a process of its own
without other threads, so that it may be forked: a fork knows the opened archive and the function at once, and only
numbers of files and results are sent. Each has the limits of the reader.
"""

import ctypes
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeVar

from archsmith.errors import Fault, InvalidDataset
from workers.datasets.raw import fault

WORKERS = 2
AHEAD = 64
"""Files that are worked on ahead of the one whose result is used."""
CHUNK = 16
"""Files that a process takes at a time: sending costs 0.1 ms a chunk."""
FEW = 200
"""Files up to which threads do: two processes take 0.1 s to start."""
_T = TypeVar("_T")
_In = TypeVar("_In")
_PR_SET_PDEATHSIG = 1
_forks = False
_given: tuple[Callable[[Any], Any], Sequence[Any]] = (lambda _: None, ())
"""What the next processes do: they are forks, and find it here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Refused:
    """An InvalidDataset on its way: as an error it would lose its faults."""

    faults: tuple[Fault, ...]


def allow_processes() -> None:
    """From here on this process may fork. It must have no threads: a fork would keep the locks that they hold."""
    global _forks  # of the process, as the threads are
    _forks = (os.cpu_count() or 1) > 1


def in_order(work: Callable[[_In], _T], items: Sequence[_In], *, reopen: Callable[[], None]) -> Iterator[_T]:
    """work(item) of each item, in order. reopen: called in each process, which must not share the place in a file.

    Raises what `work` raises, and InvalidDataset where a process was ended by its limits.
    """
    return _by_processes(work, items, reopen) if _forks and len(items) > FEW else _by_threads(work, items)


def _by_threads(work: Callable[[_In], _T], items: Sequence[_In]) -> Iterator[_T]:
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[_T]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _by_processes(work: Callable[[_In], _T], items: Sequence[_In], reopen: Callable[[], None]) -> Iterator[_T]:
    global _given
    _given = work, items
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(WORKERS, mp_context=context, initializer=_begin, initargs=(os.getpid(), reopen)) as pool:
        waiting: deque[Future[list[_T] | _Refused]] = deque()
        try:
            for start in range(0, len(items), CHUNK):
                waiting.append(pool.submit(_some, start))
                if len(waiting) > AHEAD // CHUNK:
                    yield from _results(waiting.popleft())
            while waiting:
                yield from _results(waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _results(future: "Future[list[_T] | _Refused]") -> list[_T]:
    try:
        found = future.result()
    except BrokenProcessPool:
        detail = "a process was ended while it read the files; they may need more memory than there is: send fewer"
        raise fault("reader_ended", detail) from None
    if isinstance(found, _Refused):
        raise InvalidDataset(found.faults)
    return found


def _begin(parent: int, reopen: Callable[[], None]) -> None:
    """In a new process: it ends with its parent, which may be killed at any time."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:  # Linux
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    reopen()


def _some(start: int) -> list[Any] | _Refused:
    """The results of a chunk."""
    work, items = _given
    try:
        return [work(item) for item in items[start : start + CHUNK]]
    except InvalidDataset as error:
        return _Refused(faults=error.faults)
