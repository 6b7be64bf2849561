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

GROUPS = {
    "services": ("test_client", "test_recovery", "test_serve", "test_tracking"),
    "cluster": ("test_compress", "test_driver", "test_report", "test_trials", "test_warm"),
    "cells": ("test_nasbench201",),
}
"""Integration tests that run in one process, one after the other, however many processes there are: they drive whole
services, share one Ray cluster, or a table that takes a minute to make. `tests/e2e` belongs to the services."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    groups = {stem: name for name, stems in GROUPS.items() for stem in stems}
    for item in items:
        folder = item.path.parent.name
        name = "services" if folder == "e2e" else groups.get(item.path.stem) if folder == "integration" else None
        if name:
            item.add_marker(pytest.mark.xdist_group(name))
