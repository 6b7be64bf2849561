"""Fixtures for all tests."""

import os
import signal
import sys
from pathlib import Path

# Every child compiles all that it imports where no bytecode may be kept: a driver's imports took 10.6 s of a processor
# in place of 3.8, and the suite starts some two hundred such processes. The setting comes with many container images.
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

SERVICES = {"test_cluster", "test_compress", "test_driver", "test_recovery", "test_report"}
SERVICES |= {"test_serve", "test_tracking", "test_trials", "test_warm"}
"""Integration tests that start whole services or drive jobs on a Ray cluster, as all of `tests/e2e` does."""


LONG = ("integration", "conformance")
"""Folders whose files take half a minute and more."""


class ByFile(LoadScopeScheduling):
    """One process, first of all and one after the other, for what has processes of its own; the rest goes by files."""

    def _split_scope(self, nodeid: str) -> str:
        return "services" if _has_processes_of_its_own(Path(nodeid.partition("::")[0])) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long files first: the last ones to be handed out are to be short."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: (not _has_processes_of_its_own(item.path), item.path.parent.name not in LONG))


def _has_processes_of_its_own(file: Path) -> bool:
    folder = file.parent.name
    return folder == "e2e" or (folder == "integration" and file.stem in SERVICES)
