"""The controllers with a surrogate, where the conformance suite does not reach."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Never

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from search.controllers.auto import auto
from search.controllers.policy_model import PolicyModelController
from search.controllers.predictor import PredictorController
from search.controllers.random import RandomController
from search.proposing.controller import Controller, Proposal
from search.proposing.prior_values import Prior
from search.proposing.walks import Walk, every_walk, uniform
from search.surrogate.controller import LEAST, POOL, Looked, SurrogateController, look
from search.surrogate.ensemble import GaussianProcessEnsemble
from search.surrogate.gaussian_process import Array
from search.testing.toys import AtMost, Toy, chain, fork, line
from search.trial import Outcome, TrialState
from space.analysis import analyse
from space.architecture import Architecture
from space.decision import Choices, Decision

pytestmark = pytest.mark.heavy

Make = Callable[..., SurrogateController]
ALL: list[Make] = [PredictorController, PolicyModelController, auto]


def end(number: int, value: float) -> Outcome:
    return Outcome(number=number, state=TrialState.COMPLETED, value=value, epochs=3)


def told(controller: Controller, toy: Toy, trials: int, value: float | None = None) -> list[Proposal]:
    """The proposals of a controller after so many trials, each told before the next is asked."""
    proposals = []
    for number in range(trials):
        proposals.append(controller.ask(number))
        controller.tell(end(number, toy.reward(proposals[-1].choices) if value is None else value))
    return proposals


def restored(count: int) -> PredictorController:
    """A controller after so many random trials, without a model between them."""
    controller, drawn = PredictorController(chain(3), seed=1), RandomController(chain(3), seed=2)
    for number in range(count):
        controller.restore(drawn.ask(number), end(number, float(number % 97)))
    return controller


def params(proposal: Proposal) -> float:
    return analyse(proposal.architecture).measures["params"]


def test_half_of_the_starts_are_the_baseline_and_the_largest() -> None:
    toy = chain(3)
    rngs = [np.random.default_rng(seed) for seed in range(200)]
    sizes = sorted(analyse(toy.sample(Walk(picker=uniform(rng)).choose)).params for rng in rngs)
    starts = told(PredictorController(toy, seed=1), toy, 6)
    assert min(params(starts[1]), params(starts[3])) >= sizes[-12]
    plain = told(PredictorController(toy, seed=1, warm="none"), toy, 6)
    assert starts[2].architecture.hash == plain[2].architecture.hash
    assert starts[1].architecture.hash != plain[1].architecture.hash


def test_starts_keep_the_constraints() -> None:
    toy = chain(2)
    limit = AtMost(measure="params", limit=400)
    starts = told(PredictorController(toy, seed=1, constraints=[limit]), toy, 6)
    assert all(params(start) <= 400 for start in starts)


def test_another_proxy_ranks_the_starts() -> None:
    toy = chain(3)
    controller = PredictorController(toy, seed=1)
    controller.proxy = lambda choices, architecture, measures: -measures["params"]
    starts = told(controller, toy, 4)
    assert max(params(starts[1]), params(starts[3])) < params(starts[2])


def test_no_start_takes_ten_times_the_operations_of_the_middle_one() -> None:
    toy = chain(3)
    largest = max(candidate.size for candidate in PredictorController(toy, seed=1).pool)
    controller = PredictorController(toy, seed=1)

    def costly(architecture: Architecture, decisions: Sequence[Decision], choices: Choices) -> Looked:
        measures, numbers = look(architecture, decisions, choices)
        return {**measures, "macs": 10.1 if measures["params"] == largest else 1.0}, numbers

    controller.look = costly
    starts = told(controller, toy, 4)
    second = max(candidate.size for candidate in controller.pool if candidate.size < largest)
    assert (params(starts[1]), params(starts[3]) < second) == (second, True)


@pytest.mark.parametrize("kind", ALL)
def test_what_earlier_jobs_tried_may_be_proposed_again_where_its_score_here_is_not_known(kind: Make) -> None:
    """Sixteen trials under another seed, and one of the two best of all."""
    toy, rng = chain(2), np.random.default_rng(0)
    walks = [Walk(picker=uniform(rng)) for _ in range(16)]
    found = [(walk.choices, toy.sample(walk.choose)) for walk in walks]
    walk, best = max(every_walk(toy), key=lambda walked: toy.reward(walked[0].choices) if walked[1] else -1.0)
    assert best is not None
    found.append((walk.choices, best))
    priors = [
        Prior(architecture=architecture, choices=choices, value=toy.reward(choices), epochs=3)
        for choices, architecture in found
    ]
    controller = kind(toy, seed=1)
    controller.recall(priors)
    assert best.hash in {proposal.architecture.hash for proposal in told(controller, toy, 30)}


@pytest.mark.parametrize("kind", ALL)
def test_a_start_needs_no_surrogate_and_reports_no_trouble(kind: Make) -> None:
    toy = chain(2)
    controller = kind(toy, seed=1)
    told(controller, toy, 3, value=0.5)
    assert "at random" in controller.state()["surrogate"]
    controller.ask(3)
    assert controller.trouble is None


@pytest.mark.parametrize("kind", ALL)
def test_without_spread_it_logs_once_that_it_draws_at_random(kind: Make, caplog: pytest.LogCaptureFixture) -> None:
    toy = chain(2)
    controller = kind(toy, seed=1)
    told(controller, toy, 10, value=0.5)
    controller.ask(10)
    assert "at random" in controller.state()["surrogate"]
    assert [record.getMessage() for record in caplog.records] == [controller.trouble]
    assert controller.incumbent() is None


def test_a_matrix_that_cannot_be_factorised_does_not_end_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = chain(2)
    controller = PredictorController(toy, seed=1)
    told(controller, toy, 8)

    def broken(*_: object) -> Never:
        raise np.linalg.LinAlgError("no convergence")

    monkeypatch.setattr(np.linalg, "cholesky", broken)
    controller.ask(8)
    assert "at random" in controller.state()["surrogate"]


def test_the_incumbent_is_the_best_estimate_and_not_the_luckiest_value() -> None:
    """40 random ones with a noise as large as the spread of the truth: mean regret of what is named, ten seeds."""
    toy = chain(3)
    named, luckiest = [], []
    for seed in range(10):
        controller = PredictorController(toy, seed=seed, warm="none", starts=40)
        rng = np.random.default_rng(seed)
        truth: dict[int, float] = {}
        seen: dict[int, float] = {}
        for number in range(40):
            truth[number] = toy.reward(controller.ask(number).choices)
            seen[number] = truth[number] + 0.08 * rng.normal()
            controller.tell(end(number, seen[number]))
        incumbent = controller.incumbent()
        assert incumbent is not None
        named.append(max(truth.values()) - truth[incumbent])
        luckiest.append(max(truth.values()) - truth[max(seen, key=seen.__getitem__)])
    assert np.mean(named) < np.mean(luckiest)


@pytest.mark.slow
def test_an_answer_that_always_fails_is_avoided() -> None:
    """Each layer has a kernel of 5 in a third of uniform draws; two seeds, trials 30 to 59, 180 layers."""
    toy = chain(3)
    fives = layers = 0
    for seed in range(2):
        controller = PredictorController(toy, seed=seed)
        for number in range(60):
            choices = controller.ask(number).choices
            kernels = [option for key, option in choices.items() if key.endswith("kernel")]
            if number >= 30:
                fives += kernels.count(5)
                layers += len(kernels)
            if 5 in kernels:
                controller.tell(Outcome(number=number, state=TrialState.INFEASIBLE, reason="on purpose"))
            else:
                controller.tell(end(number, toy.reward(choices)))
    assert fives < layers / 5


@pytest.mark.parametrize("kind", [PolicyModelController])
def test_the_policy_is_published_and_every_answer_has_its_probability(kind: Make) -> None:
    toy = fork()
    controller = kind(toy, seed=1)
    for proposal in told(controller, toy, 10):
        open_ = {name for name in proposal.choices if name in proposal.behaviour}
        assert open_ == set(proposal.choices)
        assert all(0 < chance <= 1 for chance in proposal.behaviour.values())
    for chances in controller.state()["probabilities"].values():
        assert sum(chances.values()) == pytest.approx(1.0)


def test_the_acquisition_of_a_candidate_does_not_depend_on_the_others() -> None:
    controller = PredictorController(chain(3), seed=1)
    told(controller, chain(3), 12)
    posterior, again = controller.posterior(), controller.posterior()
    assert posterior is not None
    assert again is not None
    pool = controller.pool[:40]
    apart = [controller.acquisition(pool[:7], posterior), controller.acquisition(pool[5:], posterior)]
    together = replace(again, _acquisitions={}).acquisition(pool, controller.columns)
    assert np.array_equal(np.concatenate([apart[0], apart[1][2:]]), together)


def test_an_ask_keeps_its_algebra_to_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    controller = PredictorController(chain(3), seed=1)
    met: set[int] = set()
    told(controller, chain(3), 8)
    improvement = GaussianProcessEnsemble.log_expected_improvement

    def watched(ensemble: GaussianProcessEnsemble, x: Array) -> Array:
        met.update(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
        return improvement(ensemble, x)

    monkeypatch.setattr(GaussianProcessEnsemble, "log_expected_improvement", watched)
    with threadpool_limits(2, "blas"):
        controller.ask(8)
    assert met == {1}


@pytest.mark.slow
def test_after_many_trials_an_ask_walks_less() -> None:
    few, more, many = (restored(count) for count in (100, 400, 3000))
    assert few.posterior().walk_budget == few.max_walks
    assert more.posterior().walk_budget == few.max_walks // 2
    assert many.posterior().walk_budget == LEAST


def test_a_space_of_one_line_needs_no_features() -> None:
    controller = PredictorController(line(1), seed=1)
    controller.ask(0)
    controller.tell(end(0, 0.5))
    assert controller.columns.sizes == (0, 0, 0)
    assert len(controller.pool) == POOL


def test_auto_reports_its_choice_and_the_reason() -> None:
    controller = auto(chain(3), seed=1, trials=8)
    assert controller.starts == 4
    told(controller, chain(3), 5)
    assert controller.state()["because"] == controller.because
    assert controller.because is not None
    assert "of 8 trials 4 are starts" in controller.because
    assert auto(chain(3), seed=1, trials=100).starts == 6
