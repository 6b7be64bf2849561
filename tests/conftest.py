"""Fixtures for all tests."""

import os
import signal

# Two test processes on two processors: the threads of a second matrix product would wait for each other, spinning.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

# A shell that starts the tests in the background has them ignore Ctrl-C, their children too; some tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest.register_assert_rewrite("tests.conformance", "tests.invariants")

pytest_plugins = ["tests.postgres"]

SERVICES = ("test_client", "test_driver", "test_recovery", "test_serve", "test_tracking", "test_trials")
"""Integration tests that share one Ray cluster, or a machine's processors with a whole service."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What drives services runs in one process after the other's, however many processes there are.

    So does what shares a table that takes a minute to make.
    """
    for item in items:
        folder = item.path.parent.name
        if folder == "e2e" or (folder == "integration" and item.path.stem in SERVICES):
            item.add_marker(pytest.mark.xdist_group("services"))
        elif item.path.stem == "test_nasbench201":
            item.add_marker(pytest.mark.xdist_group("nasbench201"))
