"""What is special to the estimator by Optuna: what it is told, and that it is quiet."""

import optuna

from search.propose import every_walk
from search.toys import chain, fork
from search.tpe import TpeController
from search.trial import Outcome, TrialState


def test_it_says_nothing_and_leaves_the_logging_alone(capfd):
    before = optuna.logging.get_verbosity()
    toy = fork()
    controller = TpeController(toy, seed=1, startup=2)
    for number in range(6):
        controller.ask(number)
        controller.tell(Outcome(number=number, state=TrialState.COMPLETED, value=0.1 * number))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert optuna.logging.get_verbosity() == before


def test_a_pruned_trial_ranks_below_completed_ones_whatever_its_value():
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


def test_open_asks_stand_in_the_study_as_running():
    controller = TpeController(chain(2), seed=0)
    for number in range(5):
        controller.ask(number)
    controller.tell(Outcome(number=2, state=TrialState.CANCELLED, reason="asked for"))
    running = controller._study.get_trials(states=[optuna.trial.TrialState.RUNNING])
    assert len(running) == 4


def test_decisions_on_every_walk_are_drawn_together():
    toy = chain(2)
    controller = TpeController(toy, seed=0)
    assert {walk.choices["depth"] for walk, _ in every_walk(toy)} == {1, 2}
    for number in range(20):
        proposal = controller.ask(number)
        controller.tell(Outcome(number=number, state=TrialState.COMPLETED, value=toy.reward(proposal.choices)))
    assert {key.split(":")[0] for key in controller._always} == {
        "depth",
        "layers.0.kernel",
        "layers.0.width",
        "layers.0.activation",
    }
