"""Fixtures for all tests."""

import os
import signal
import sys
from pathlib import Path

# Every child compiles all that it imports where no bytecode may be kept: a driver's imports took 10.6 s of a processor
# in place of 3.8, a trial's 4.2 in place of 1.6. The setting comes with many container images.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Two test processes on two processors: the threads of a second matrix product would wait for each other, spinning.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.effort import QUICK_PERCENT

sys.dont_write_bytecode = False

# A shell that starts the tests in the background has them ignore Ctrl-C, their children too; some tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# `--hypothesis-profile thorough` is what `make test-slow` says; `tests/effort.py` says what it means.
settings.register_profile("quick", max_examples=QUICK_PERCENT)
settings.register_profile("thorough", max_examples=100)
settings.load_profile("quick")

pytest.register_assert_rewrite("tests.conformance", "tests.invariants")

pytest_plugins = ["tests.postgres"]

FIRST: tuple[str, ...] = (
    "test_driver",
    "e2e",
    "test_report",
    "test_tracking",
    "test_compress",
    "test_zero_cost",
    "test_serve",
)
FIRST += ("test_trials", "test_recovery", "test_cluster")
"""What starts whole services or drives jobs on a Ray cluster, the longest first: files of `tests/integration`, and all
of `tests/e2e`, which has one service. In one process, one after the other, they took longer than all else."""

OFTEN = ("heavy", "sweep", "hypothesis")

LONG = ("integration", "conformance")
"""Folders whose files take half a minute and more."""


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Handed out by files, for the sake of what their tests share."""

    def _split_scope(self, nodeid: str) -> str:
        path = Path(nodeid.partition("::")[0])
        return _place(path) if path.parent.name == "e2e" else str(path)


def pytest_configure(config: pytest.Config) -> None:
    """One coverage in each test process: pytest-cov 7.1 starts two in a worker of xdist.

    The first, which nobody reads, went on tracing wherever the second paused for `no_cover`: 41 s in place of 18.
    """
    measured = config.pluginmanager.getplugin("_cov")
    if hasattr(config, "workerinput") and measured is not None and measured.cov_controller is not None:
        measured.cov_controller.cov.stop()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long files first: the last ones to be handed out are to be short.

    What does the same thing very often is not measured by coverage: tracing doubles its time (conformance of three
    controllers: 18 s, traced 35 s), and what it reaches, tests that do it once reach as well.
    """
    for item in items:
        if item.path.parent.name == "conformance" or any(item.get_closest_marker(name) for name in OFTEN):
            item.add_marker(pytest.mark.no_cover)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: (_rank(item.path), item.path.parent.name not in LONG))


def _rank(file: Path) -> int:
    return FIRST.index(_place(file)) if _place(file) in FIRST else len(FIRST)


def _place(file: Path) -> str:
    """The folder's name for the end-to-end tests, the file's for those of integration, elsewhere none of `FIRST`."""
    folder = file.parent.name
    return folder if folder == "e2e" else file.stem if folder == "integration" else ""
