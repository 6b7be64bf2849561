"""What is folded, and into which number: signs, soft targets, the one number that stands for several objectives."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.objective import MAXIMIZED, MINIMIZED, Objective, faults, soft_target_score
from search.spec import JobSpec, ObjectiveSpec, TargetSpec
from search.trial import Outcome, TrialState
from tests.effort import share

CALM = settings(deadline=None, max_examples=share(60))
COSTS = st.floats(1e-6, 1e12)
SCORES = st.floats(0.0, 1.0)
OBJECTIVES = st.builds(
    lambda maximize, minimize: Objective(maximize=("score",) if maximize or not minimize else (), minimize=minimize),
    st.booleans(),
    st.permutations(MINIMIZED).flatmap(lambda p: st.integers(0, len(p)).map(lambda n: tuple(p[:n]))),
)
FACTS = st.fixed_dictionaries({"score": SCORES, **dict.fromkeys(MINIMIZED, COSTS)})


@CALM
@given(OBJECTIVES, FACTS)
def test_folding_turns_only_the_signs(objective: Objective, facts: dict[str, float]) -> None:
    folded = objective.folded(facts)
    assert objective.raw(folded) == {name: facts[name] for name in objective.names}
    assert folded == tuple(facts[name] * (1 if name in MAXIMIZED else -1) for name in objective.names)
    assert objective.combined(objective.values(facts)) == objective.value(facts)
    outcome = Outcome(
        number=0, state=TrialState.COMPLETED, value=objective.value(facts), values=objective.values(facts), epochs=1
    )
    assert len(outcome.values) == len(objective.names)


@CALM
@given(OBJECTIVES, FACTS, st.sampled_from(["score", *MINIMIZED]), st.floats(1.1, 10.0))
def test_who_dominates_has_the_larger_value(
    objective: Objective, facts: dict[str, float], name: str, by: float
) -> None:
    worse = {**facts, name: facts[name] / by if name == "score" else facts[name] * by}
    if name in objective.names and worse[name] != facts[name]:
        assert objective.value(worse) <= objective.value(facts)


@CALM
@given(FACTS, FACTS, st.floats(1e-3, 1e3))
def test_the_unit_of_a_cost_changes_no_comparison(one: dict[str, float], other: dict[str, float], unit: float) -> None:
    objective = Objective(minimize=("latency_ms", "params"))

    def gap(scale: float) -> float:
        a, b = ({**facts, "latency_ms": facts["latency_ms"] * scale} for facts in (one, other))
        return objective.value(a) - objective.value(b)

    assert gap(unit) == pytest.approx(gap(1.0), abs=1e-9)


def test_twice_the_latency_is_worth_five_hundredths_of_score() -> None:
    objective = Objective(minimize=("latency_ms",))
    slow, fast = {"score": 0.90, "latency_ms": 2.0}, {"score": 0.90 - 0.07 * math.log(2), "latency_ms": 1.0}
    assert objective.value(slow) == pytest.approx(objective.value(fast))


@pytest.mark.parametrize(
    ("form", "latency", "value"),
    [
        ("absolute", 2.0, 0.9),
        ("absolute", 4.0, 0.9 - 0.07),
        ("absolute", 1.0, 0.9 - 0.035),
        ("product", 2.0, 0.9),
        ("product", 4.0, 0.9 * 2**-0.07),
        ("product", 1.0, 0.9 * 2**0.07),
    ],
)
def test_soft_targets(form: str, latency: float, value: float) -> None:
    objective = Objective(target=TargetSpec(measure="latency_ms", value=2.0, form=form))
    facts = {"score": 0.9, "latency_ms": latency}
    assert objective.value(facts) == pytest.approx(value)
    assert objective.values(facts) == (objective.value(facts),)
    assert objective.needs == ("score", "latency_ms")


def test_a_measure_that_is_missing_is_named() -> None:
    with pytest.raises(KeyError, match="latency_ms"):
        Objective(minimize=("latency_ms",)).values({"score": 0.5})


TARGET = TargetSpec(measure="params", value=1e5)


@pytest.mark.parametrize(
    ("spec", "reproducible", "pointer", "rule"),
    [
        (ObjectiveSpec(minimize=("params", "macs", "params")), False, "/minimize/2", "objective_repeated"),
        (ObjectiveSpec(maximize=("score", "score")), False, "/maximize/1", "objective_repeated"),
        (ObjectiveSpec(maximize=()), False, "", "objective_missing"),
        (ObjectiveSpec(minimize=("macs",), target=TARGET), False, "/target", "combination_unsupported"),
        (ObjectiveSpec(maximize=(), minimize=("macs",), target=TARGET), False, "/target", "combination_unsupported"),
        (ObjectiveSpec(minimize=("latency_ms",)), True, "/minimize", "combination_unsupported"),
        (
            ObjectiveSpec(target=TargetSpec(measure="energy_j", value=1.0)),
            True,
            "/target/measure",
            "combination_unsupported",
        ),
    ],
)
def test_contradictions_are_pointed_at(spec: ObjectiveSpec, reproducible: bool, pointer: str, rule: str) -> None:
    [fault] = faults(spec, reproducible=reproducible)
    assert (fault.pointer, fault.rule) == (pointer, rule)


def test_what_is_possible_has_no_fault() -> None:
    assert faults(ObjectiveSpec()) == faults(ObjectiveSpec(target=TARGET), reproducible=True) == []
    assert faults(ObjectiveSpec(minimize=("params", "memory_mb")), reproducible=True) == []


def test_specs_come_back_and_older_ones_are_read() -> None:
    objective = ObjectiveSpec(minimize=("params",), constraints=("macs < 1e6",))
    for spec in (
        JobSpec(dataset="digits", space={}, objective=objective),
        JobSpec(dataset="digits", space={}, objective=ObjectiveSpec(target=TARGET)),
    ):
        assert JobSpec.from_json(spec.to_json()) == spec
    older = {"maximize": "score", "score": "auc", "constraints": ["params < 5"]}
    assert ObjectiveSpec.from_json(older) == ObjectiveSpec(score="auc", constraints=("params < 5",))


@pytest.mark.parametrize(
    ("value", "values"), [(None, (0.5,)), (0.5, (0.4,)), (0.5, (0.5, math.nan)), (0.5, (0.5, math.inf))]
)
def test_a_wrong_vector_cannot_be_built(value: float | None, values: tuple[float, ...]) -> None:
    state, reason = (TrialState.COMPLETED, None) if value is not None else (TrialState.FAILED, "crashed")
    with pytest.raises(ValueError, match="value"):
        Outcome(number=0, state=state, value=value, values=values, reason=reason)
    assert Outcome(number=0, state=TrialState.COMPLETED, value=0.5).values == (0.5,)


@pytest.mark.parametrize("score", [0.9, 0.0, -0.5, -40.0])
def test_a_product_is_worse_for_a_higher_cost_below_0_too(score: float) -> None:
    target = TargetSpec(measure="params", value=10.0, form="product")
    cheap, at, dear = (soft_target_score(target, score, measure) for measure in (5.0, 10.0, 20.0))
    assert at == score
    assert cheap > at > dear or score == 0.0
