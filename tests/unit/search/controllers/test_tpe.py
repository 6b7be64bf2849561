"""What is special to the estimator by Optuna: what it is told, and that it is quiet."""

from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution

from search.controllers.tpe import TpeController, split
from search.testing.toys import chain, fork
from search.trial import Outcome, TrialState


def test_it_says_nothing_and_leaves_the_logging_alone(capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    toy = fork()
    controller = TpeController(toy, seed=1, startup=2)
    for number in range(6):
        controller.ask(number)
        controller.tell(Outcome(number=number, state=TrialState.COMPLETED, value=0.1 * number))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert optuna.logging.get_verbosity() == before


def test_a_pruned_trial_ranks_below_completed_ones_whatever_its_value() -> None:
    controller = TpeController(chain(2), seed=0)
    states = [
        (TrialState.COMPLETED, 0.2, 8),
        (TrialState.PRUNED, 0.9, 1),
        (TrialState.PRUNED, 0.4, 3),
        (TrialState.FAILED, None, 0),
    ]
    for number, (state, value, epochs) in enumerate(states):
        controller.ask(number)
        reason = None if value is not None else "crashed"
        controller.tell(Outcome(number=number, state=state, value=value, epochs=epochs, reason=reason))
    trials = [t for t in controller._study.get_trials() if t.state is not optuna.trial.TrialState.FAIL]
    assert [t.value for t in trials] == [0.2, 0.9, 0.4, None]
    assert [dict(t.intermediate_values) for t in trials] == [{}, {1: 0.9}, {3: 0.4}, {}]
    pruned = optuna.trial.TrialState.PRUNED
    assert [t.state for t in trials[1:]] == [pruned, pruned, pruned]


def test_open_asks_stand_in_the_study_as_running() -> None:
    controller = TpeController(chain(2), seed=0)
    for number in range(5):
        controller.ask(number)
    controller.tell(Outcome(number=2, state=TrialState.CANCELLED, reason="asked for"))
    running = controller._study.get_trials(states=[optuna.trial.TrialState.RUNNING])
    assert len(running) == 4


def test_decisions_that_occur_together_are_drawn_together() -> None:
    toy = chain(2)
    controller = TpeController(toy, seed=0, branches="grouped")
    for number in range(20):
        proposal = controller.ask(number)
        controller.tell(Outcome(number=number, state=TrialState.COMPLETED, value=toy.reward(proposal.choices)))
    layers = [{f"layers.{i}.{part}" for part in ("kernel", "width", "activation")} for i in (0, 1)]
    groups = [{name.split(":")[0] for name in group} for group in controller._groups]
    assert sorted(groups, key=len) == [layers[1], {"depth", *layers[0]}]
    assert {name.split(":")[0] for name in controller._always} == {"depth", *layers[0]}


@pytest.mark.parametrize(("branches", "sizes"), [("grouped", [3, 4]), ("single", [1, 1, 1, 4])])
def test_a_branch_is_drawn_jointly_or_one_decision_after_the_other(
    branches: Any, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = chain(2)
    controller = TpeController(toy, seed=0, startup=4, branches=branches)
    for number in range(12):
        proposal = controller.ask(number)
        controller.tell(Outcome(number=number, state=TrialState.COMPLETED, value=toy.reward(proposal.choices)))
    drawn = []
    draw = optuna.samplers.TPESampler._sample

    def noted(self: Any, study: Any, trial: Any, space: Any) -> Any:
        drawn.append(len(space))
        return draw(self, study, trial, space)

    monkeypatch.setattr(optuna.samplers.TPESampler, "_sample", noted)
    pick = controller.picker(np.random.default_rng(0))
    toy.sample(lambda d: d.options[-1] if d.name == "depth" and pick(d) else pick(d)[0])
    assert sorted(drawn) == sizes


def test_the_sampler_is_multivariate_with_a_constant_liar_and_ordered_options_are_integers() -> None:
    controller = TpeController(fork(), seed=0)
    controller.ask(0)
    controller.picker(np.random.default_rng(0))
    sampler = controller._study.sampler
    assert (sampler._multivariate, sampler._constant_liar) == (True, True)
    kinds = {name.split(":")[0]: type(found) for name, found in controller._study.trials[0].distributions.items()}
    assert kinds["width"] is IntDistribution
    assert kinds["op"] is CategoricalDistribution


def test_groups_are_split_where_walks_differ() -> None:
    groups = list(split([], {"a": IntDistribution(0, 1), "b": IntDistribution(0, 1)}))
    groups = list(split(groups, {"a": IntDistribution(0, 1), "c": IntDistribution(0, 1)}))
    assert [set(group) for group in groups] == [{"a"}, {"b"}, {"c"}]
