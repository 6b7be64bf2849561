"""Why a search stops: the first reason wins, but suspending the job replaces the end of a search."""

import pytest

from search.spec import Budget
from workers.stop_signal import StopSignal


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, as its only element."""
    now = [100.0]
    monkeypatch.setattr("workers.stop_signal.time.monotonic", lambda: now[0])
    return now


def test_seconds_count_while_searching_only(clock: list[float]) -> None:
    stop = StopSignal(used_s=5.0, limit_s=20.0)
    clock[0] += 50
    assert (stop.seconds_used(), stop.stopping, stop.searching) == (5.0, False, False)
    stop.start()
    clock[0] += 14
    assert (stop.seconds_used(), stop.stopping, stop.searching) == (19.0, False, True)
    clock[0] += 1
    assert stop.reason == "budget_seconds"
    assert not stop.suspending
    stop.halt()
    clock[0] += 50
    assert stop.seconds_used() == 20.0


def test_the_first_end_wins() -> None:
    stop = StopSignal()
    stop.end("space_exhausted")
    stop.end("budget_trials")
    assert stop.reason == "space_exhausted"
    assert stop.stopping


@pytest.mark.parametrize("reason", ["pause", "cancel", "shutdown"])
def test_suspending_replaces_the_end_of_a_search(reason: str) -> None:
    stop = StopSignal()
    stop.end("budget_trials")
    stop.suspend(reason)
    assert stop.suspending
    stop.end("budget_seconds")
    stop.suspend("pause")
    assert stop.reason == reason, "the first one wins"


def test_a_part_ends_by_itself_or_with_the_whole() -> None:
    whole = StopSignal()
    whole.end("budget_trials")
    part = whole.part()
    assert not part.stopping, "the search is over, and what follows it has just begun"
    part.end("budget_epochs")
    assert (part.reason, part.suspending, whole.reason) == ("budget_epochs", False, "budget_trials")
    whole.suspend("pause")
    assert (part.reason, part.suspending) == ("pause", True)


def test_a_changed_budget_is_followed(clock: list[float]) -> None:
    stop = StopSignal(used_s=5.0, limit_s=20.0)
    stop.start()
    stop.follow(Budget(trials=3, epochs=1, seconds=60.0))
    clock[0] += 30
    assert not stop.stopping
    assert stop.budget == Budget(trials=3, epochs=1, seconds=60.0)
    stop.follow(Budget(seconds=20.0))
    assert not stop.stopping, "a planned job's plan sets the limit of its search"
    stop.follow(Budget(epochs=1, seconds=35.0))
    assert stop.reason == "budget_seconds"


def test_an_early_end_and_the_time_for_the_rest(clock: list[float]) -> None:
    stop, whole = StopSignal(), StopSignal()
    stop.finish(None)
    assert (stop.reason, stop.suspending, stop.hurried, stop.left_s) == ("finish", False, False, float("inf"))
    arm = stop.part()
    assert not arm.stopping, "without a limit all that follows is done as planned"
    stop.finish(20.0)
    clock[0] += 15
    assert (stop.hurried, stop.left_s, arm.reason) == (True, 5.0, "finish")
    clock[0] += 15
    assert stop.left_s == 0.0
    whole.end("budget_trials")
    whole.finish(9.0)
    assert (whole.reason, whole.left_s) == ("budget_trials", 9.0), "the search was over before"
    whole.suspend("continue")
    assert whole.suspending
