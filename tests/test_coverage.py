"""What is marked `no_cover` is not traced, in a process of its own and in a worker of xdist alike."""

import sys

import pytest


@pytest.mark.heavy
def test_a_marked_test_runs_untraced(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("no_cover"), "tests/conftest.py marks what is heavy"
    assert not type(sys.gettrace()).__module__.startswith("coverage")
