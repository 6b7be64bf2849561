"""Every controller with every way of stopping trials early, and what it is good for.

On `chain(3)` with learning curves (27 epochs, noise 0.01, 8 asynchronous workers) a search with `asha` may use 810
epochs in all, those of 30 whole trials; the same controller without it runs these 30. A seed is won when the best true
value among the trials trained to their end is above. If early stopping were of no use, 11 or more of 12 seeds would be
won with probability 3.2e-3 at most (sign test): the rate of false alarms for each controller.
"""

import itertools
import math
from collections.abc import Iterator

import pytest

from search.factory import CONTROLLERS, make_controller
from search.policy.policy import Advantage
from search.spec import SCHEDULERS, ControllerSpec
from search.stopping.early_stopping import Curves, EarlyStopping, rules
from search.testing.loop import Told, search
from search.testing.toys import Faulty, Learning, chain
from search.trial import TrialState

pytestmark = pytest.mark.heavy

TOY, EPOCHS, WHOLE = chain(3), 27, 30
SEEDS, WON = 12, 11


def run(name: str, scheduler: str, *, trials: int, seed: int = 0, hopeless: bool = False) -> list[Told]:
    controller = make_controller(ControllerSpec(name=name), space=TOY, seed=seed)
    evaluator = Learning(toy=TOY, epochs=EPOCHS, seed=seed, noise=0.01)
    stopping = EarlyStopping(rules(scheduler, epochs=EPOCHS, stop_hopeless=hopeless, finalists=3), Curves())
    return search(controller, evaluator, trials=trials, workers=8, stopping=stopping)


LONG = {"gp", "policy_model", "predictor", "tpe"}
"""Each ask of theirs takes a hundredth of a second and more: one way of stopping here, all in `make test-slow`."""

QUICK = {("asha", False), ("hyperband", True)}
"""Ways of stopping that `make test` tries with the other controllers."""


def _pairs() -> Iterator[object]:
    for name in sorted(set(CONTROLLERS) - {"auto"}):  # which is policy_model
        for scheduler, hopeless in list(itertools.product(SCHEDULERS, (False, True)))[1:]:
            slow = (scheduler, hopeless) not in ({("hyperband", True)} if name in LONG else QUICK)
            yield pytest.param(name, scheduler, hopeless, marks=pytest.mark.slow if slow else ())


@pytest.mark.parametrize(("name", "scheduler", "hopeless"), list(_pairs()))
def test_any_controller_with_any_early_stopping(name: str, scheduler: str, hopeless: bool) -> None:
    trials = 20
    history = run(name, scheduler, trials=trials, hopeless=hopeless)
    assert sorted(told.proposal.number for told in history) == list(range(trials))
    assert len({told.proposal.architecture.hash for told in history}) == trials
    pruned = [told.outcome for told in history if told.outcome.state is TrialState.PRUNED]
    completed = [told.outcome for told in history if told.outcome.state is TrialState.COMPLETED]
    assert completed
    assert all(outcome.epochs < EPOCHS and outcome.reason for outcome in pruned)
    assert all(outcome.epochs == EPOCHS and outcome.reason is None for outcome in completed)
    if scheduler != "none":
        assert sum(told.outcome.epochs for told in history) < 0.75 * trials * EPOCHS


def best_within(history: list[Told], epochs: int) -> float:
    """The best true value of a trial trained to its end while the search has used so many epochs."""
    best, used = -math.inf, 0
    for told in history:
        used += told.outcome.epochs
        if used <= epochs and told.outcome.state is TrialState.COMPLETED:
            best = max(best, TOY.reward(told.proposal.choices))
    return best


def test_the_false_alarm_rate() -> None:
    assert sum(math.comb(SEEDS, k) for k in range(WON, SEEDS + 1)) / 2**SEEDS < 3.2e-3


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("reinforce", marks=pytest.mark.slow),
        "evolution",
        pytest.param("local_search", marks=pytest.mark.slow),
    ],
)
def test_better_architectures_for_the_same_epochs(name: str) -> None:
    budget = WHOLE * EPOCHS
    won = 0
    for seed in range(SEEDS):
        without = best_within(run(name, "none", trials=WHOLE, seed=seed), budget)
        won += best_within(run(name, "asha", trials=200, seed=seed), budget) > without
    assert won >= WON, f"{won} of {SEEDS} seeds"


@pytest.mark.parametrize("kind", ["ema", "quantile"])
def test_longer_training_is_no_merit(kind: str) -> None:
    """Whatever ran longer has larger values here; at the epochs they share the trials are alike, or the other is."""
    values = Advantage(kind=kind, decay=0.9)  # type: ignore[arg-type]
    for number in range(40):
        values.advantage({1: 0.1 + number / 1000})
    bad, good = {1: 0.09, 2: 0.5, 3: 0.9}, {1: 0.2}
    assert values.copy().advantage(bad) <= 0.0
    assert values.copy().advantage(good) > 0.5


def test_without_curves_nothing_has_changed() -> None:
    """A toy of one epoch is told the same whether or not somebody looks on."""
    for name in ("reinforce", "evolution", "local_search"):
        ends = []
        for stopping in (None, EarlyStopping((), Curves())):
            controller = make_controller(ControllerSpec(name=name), space=TOY, seed=2)
            history = search(controller, Faulty(toy=TOY, seed=2, failing=0.2), trials=40, workers=4, stopping=stopping)
            ends.append([(told.proposal.architecture.hash, told.outcome) for told in history])
        assert ends[0] == ends[1]
