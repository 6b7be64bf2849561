"""Why a search stops: the first reason wins, but a wish of the user beats an end of the search."""

import pytest

from workers import stop_signal as module
from workers.stop_signal import StopSignal


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, as its only element."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_seconds_count_while_searching_only(clock: list[float]) -> None:
    control = StopSignal(used_s=5.0, limit_s=20.0)
    clock[0] += 50
    assert (control.seconds_used(), control.stopping, control.searching) == (5.0, False, False)
    control.start()
    clock[0] += 14
    assert (control.seconds_used(), control.stopping, control.searching) == (19.0, False, True)
    clock[0] += 1
    assert control.reason == "budget_seconds"
    assert not control.suspending
    control.halt()
    clock[0] += 50
    assert control.seconds_used() == 20.0


def test_the_first_end_wins() -> None:
    control = StopSignal()
    control.end("space_exhausted")
    control.end("budget_trials")
    assert control.reason == "space_exhausted"
    assert control.stopping


@pytest.mark.parametrize("wish", ["pause", "cancel", "shutdown"])
def test_a_wish_takes_the_place_of_an_end(wish: str) -> None:
    control = StopSignal()
    control.end("budget_trials")
    control.suspend(wish)
    assert control.suspending
    control.end("budget_seconds")
    control.suspend("pause")
    assert control.reason == wish, "the first wish wins"


def test_a_part_ends_by_itself_or_with_the_whole() -> None:
    whole = StopSignal()
    whole.end("budget_trials")
    part = whole.part()
    assert not part.stopping, "the search is over, and what follows it has just begun"
    part.end("budget_epochs")
    assert (part.reason, part.suspending, whole.reason) == ("budget_epochs", False, "budget_trials")
    whole.suspend("pause")
    assert (part.reason, part.suspending) == ("pause", True)
