"""Fixtures for all tests."""

import signal

import pytest

# A shell that starts the tests in the background has them ignore Ctrl-C, their children too; some tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest.register_assert_rewrite("tests.conformance", "tests.invariants")

pytest_plugins = ["tests.postgres"]
