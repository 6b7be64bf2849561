"""The space as a program of choices: what is asked, what is offered, and that every path ends in a network."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsmith.errors import ImpossibleShape, InvalidSpace
from space.analysis import analyse
from space.architecture import Architecture
from space.decision import Choices, Choose, Decision, Option
from space.decision_recorder import DecisionRecorder
from space.size import every
from space.space import Space, replay
from space.walk import Cursor
from tests.effort import share

Json = dict[str, Any]


def make(*stages: Json, shape: tuple[int, ...] = (1, 8, 8), **changes: Any) -> Space:
    return Space.parse({"schema": 1, "stages": list(stages), **changes}, input_shape=shape, classes=3)


def draw(seed: int) -> Choose:
    generator = random.Random(seed)
    return lambda decision: generator.choice(decision.options)


def asked(space: Space, choose: Choose) -> list[Decision]:
    """The decisions of one path, in order."""
    decisions: list[Decision] = []

    def record(decision: Decision) -> Option:
        decisions.append(decision)
        return choose(decision)

    space.sample(record)
    return decisions


def first(decision: Decision) -> Option:
    return decision.options[0]


def last(decision: Decision) -> Option:
    return decision.options[-1]


def test_fixed_fields_are_not_asked() -> None:
    assert asked(make({"width": 8, "norm": ["batch"]}), first) == []


def test_names_order_and_scale_of_decisions() -> None:
    stage = {
        "depth": [1, 2],
        "operation": ["conv", "residual"],
        "kernel": [3, 5],
        "width": [4, 8],
        "pool": ["none", "max"],
    }
    decisions = asked(make(stage, head={"hidden": [0, 8]}), last)
    assert [(d.name, d.ordered) for d in decisions] == [
        ("stages.0.depth", True),
        ("stages.0.width", True),
        ("stages.0.operation", False),
        ("stages.0.kernel", True),
        ("stages.0.pool", False),
        ("head.hidden", True),
    ]


def test_per_block_asks_for_each_block_that_is_there() -> None:
    space = make({"per": "block", "depth": [1, 2], "kernel": [3, 5]})
    assert [d.name for d in asked(space, first)] == ["stages.0.depth", "stages.0.blocks.0.kernel"]
    assert [d.name for d in asked(space, last)][1:] == ["stages.0.blocks.0.kernel", "stages.0.blocks.1.kernel"]


def test_per_stage_gives_every_block_the_same_answer() -> None:
    space = make({"depth": 2, "kernel": [3, 5]})
    kernels = {n.attrs["kernel"] for n in space.sample(last).nodes if n.op == "conv2d"}
    assert kernels == {5}


def test_branch_kernels_are_alive_only_for_branches_that_are_there() -> None:
    space = make({"operation": ["conv", "branching"], "kernel": [1, 3], "branches": [2, 3], "width": 8})
    names = [d.name for d in asked(space, first)]
    assert names == ["stages.0.operation", "stages.0.kernel"]
    names = [d.name for d in asked(space, last)]
    assert names[1:] == ["stages.0.branches", *(f"stages.0.branch{i}.kernel" for i in range(3))]


def test_depth_zero_leaves_the_stage_out() -> None:
    space = make({"width": 4}, {"depth": [0, 1], "stride": 2, "width": [8, 16], "pool": "max"})
    assert [d.name for d in asked(space, first)] == ["stages.1.depth"]
    assert {n.name.split(".")[1] for n in space.sample(first).nodes if n.name.startswith("stages")} == {"0"}


@pytest.mark.parametrize("answer", [7, "3", None, True, 3.5, float("nan")])
def test_an_answer_that_was_not_offered_is_refused(answer: object) -> None:
    space = make({"kernel": [1, 3, 5]})
    with pytest.raises(ValueError, match=r"stages\.0\.kernel offers 1, 3, 5, but the answer was"):
        space.sample(lambda decision: answer)  # type: ignore[arg-type,return-value]


# Maps that become too small.


def refused(*stages: Json, shape: tuple[int, ...] = (1, 8, 8), **changes: Any) -> tuple[str, str]:
    with pytest.raises(InvalidSpace) as caught:
        make(*stages, shape=shape, **changes)
    [fault] = caught.value.faults
    assert fault.rule == "impossible_shape"
    return fault.pointer, fault.detail


def test_an_impossible_stride_chain_names_the_stage_and_the_size_left() -> None:
    assert refused(*[{"stride": 2}] * 6) == (
        "/stages/3/stride",
        "stage 3 asks for a stride of 2, but at most 1×1 pixels of the 8×8 input are left there",
    )
    pointer, detail = refused({"stride": 2, "padding": "valid", "kernel": 3}, {"padding": "valid", "depth": 2})
    assert pointer == "/stages/1/kernel"
    assert detail.startswith("stage 1 asks for 2 convolutions of 3×3 without padding, but at most 3×3 pixels")
    pointer, detail = refused(*[{"pool": "max"}] * 3, shape=(1, 64, 5))
    assert pointer == "/stages/2/pool"
    assert "16×1 pixels of the 64×5 input" in detail
    pointer, detail = refused({}, shape=(1, 4, 4), stem={"stride": 8})
    assert pointer == "/stem/stride"
    assert detail.startswith("the stem asks for a stride of 8")


def test_the_least_demanding_option_decides_whether_a_document_is_possible() -> None:
    make(*[{"stride": [1, 2], "pool": ["max", "none"]}] * 6)
    make(*[{"depth": [0, 1], "stride": 2}] * 6)


def test_only_what_fits_the_map_is_offered() -> None:
    space = make(*[{"stride": [1, 2, 4]}] * 3)
    assert [d.options for d in asked(space, last)] == [(1, 2, 4), (1, 2)]
    assert [d.options for d in asked(space, first)] == [(1, 2, 4)] * 3


def test_a_fixed_stride_further_on_narrows_what_comes_before() -> None:
    space = make({"stride": [1, 2, 4, 8]}, {"stride": 4, "pool": "max"})
    assert asked(space, first) == []  # only stride 1 leaves 8 pixels for the second stage
    space = make({"padding": "valid", "kernel": [3, 5, 7], "depth": [1, 2]}, {"stride": 4})
    assert [d.options for d in asked(space, first)] == [(1, 2), (3, 5)]
    assert [d.options for d in asked(space, last)] == [(1, 2)]


def test_kernels_that_reach_beyond_the_whole_map_are_not_offered() -> None:
    space = make({"pool": "max"}, {"kernel": [3, 5, 7, 9], "pool": "average"}, {"kernel": [3, 5]}, {"kernel": 5})
    assert [d.options for d in asked(space, first)] == [(3, 5, 7)]


def test_on_one_pixel_flatten_is_no_other_choice() -> None:
    assert len(asked(make({"stride": 8}, head={"pool": ["global", "flatten"]}), first)) == 0
    assert len(asked(make({"stride": 4}, head={"pool": ["global", "flatten"]}), first)) == 1


def test_a_step_without_options_says_where() -> None:
    space = make({"kernel": [3, 5], "padding": "valid"})
    with pytest.raises(ImpossibleShape, match="stage 0 has no operation that fits in the 2×2 left") as caught:
        space.program.step(Cursor(0, 0, (2, 2), depth=1, padding="valid"), DecisionRecorder(first))
    assert (caught.value.place, caught.value.size) == ("stages.0", (2, 2))


@pytest.mark.parametrize("shape", [(), (1, 0, 8), (1, 8, 8, 8, 8), (True, 8, 8), (1.0, 8, 8), (1, 10**9, 8)])
def test_an_input_that_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidSpace, match=r"an input must be \(C, H, W\)"):
        make({}, shape=shape)


def test_the_shape_tells_series_and_words_speak_of_steps() -> None:
    assert make({}, shape=(1, 8)).data == "series"
    with pytest.raises(InvalidSpace, match=r"an input must be \(C, T\)"):
        make({}, shape=(1, 65_537))
    with pytest.raises(InvalidSpace, match="a pooling of 2 steps, but at most 1 steps of the 1 input"):
        make({"pool": "max"}, shape=(1, 1))
    with pytest.raises(InvalidSpace, match="1 convolution of 5 without padding, but at most 4 steps of the 4 input"):
        make({"kernel": 5, "padding": "valid"}, shape=(1, 4))
    space = make({"kernel_width": [0, 3], "kernel": [3, 5]}, shape=(1, 9))
    names = set(space.program.walk(first).choices)
    assert "stages.0.kernel" in names
    assert "stages.0.kernel_width" not in names, "a series has one side"


options_of = {
    "depth": st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True),
    "operation": st.lists(
        st.sampled_from(["conv", "separable", "residual", "branching"]), min_size=1, max_size=3, unique=True
    ),
    "kernel": st.lists(st.sampled_from([1, 3, 5, 9]), min_size=1, max_size=3, unique=True),
    "stride": st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True),
    "padding": st.lists(st.sampled_from(["same", "valid"]), min_size=1, max_size=2, unique=True),
    "width": st.lists(st.integers(4, 9), min_size=1, max_size=2, unique=True),
    "norm": st.lists(st.sampled_from(["batch", "group", "none"]), min_size=1, max_size=3, unique=True),
    "pool": st.lists(st.sampled_from(["none", "max", "average"]), min_size=1, max_size=2, unique=True),
    "dropout": st.lists(st.sampled_from([0, 0.1]), min_size=1, max_size=2, unique=True),
    "branches": st.lists(st.integers(1, 4), min_size=1, max_size=2, unique=True),
    "merge": st.lists(st.sampled_from(["concat", "add"]), min_size=1, max_size=2, unique=True),
}


@st.composite
def documents(draw: Callable[..., Any]) -> Json:
    stages = draw(
        st.lists(
            st.fixed_dictionaries({}, optional=options_of | {"per": st.sampled_from(["stage", "block"])}),
            min_size=1,
            max_size=3,
        )
    )
    head = draw(st.fixed_dictionaries({}, optional={"pool": st.just(["global", "flatten"]), "hidden": st.just([0, 5])}))
    stem = draw(
        st.none() | st.fixed_dictionaries({}, optional={k: options_of[k] for k in ("kernel", "stride", "pool")})
    )
    return {"schema": 1, "stages": stages, "head": head, "stem": stem}


shapes = st.tuples(st.sampled_from([1, 3]), st.integers(1, 17), st.integers(1, 17))


@settings(max_examples=share(150), deadline=None)
@given(documents(), shapes, st.integers(0, 2**32))
def test_no_path_of_any_document_ends_in_a_dead_end(document: Json, shape: tuple[int, ...], seed: int) -> None:
    try:
        space = Space.parse(document, input_shape=shape, classes=3)
    except InvalidSpace:
        return
    for choose in (first, last, draw(seed), draw(seed + 1)):
        architecture, choices = space.walk(choose)
        analyse(architecture)
        assert Architecture.from_json(architecture.to_json()) == architecture
        assert space.sample(replay(choices)).hash == architecture.hash


@settings(max_examples=share(60), deadline=None)
@given(documents(), shapes)
def test_counting_equals_enumerating(document: Json, shape: tuple[int, ...]) -> None:
    try:
        space = Space.parse(document, input_shape=shape, classes=3)
    except InvalidSpace:
        return
    size = space.size()
    paths = list(space.enumerate(2001))
    if len(paths) <= 2000:
        assert size.exact
        assert size.count == len(paths) == len({tuple(path.items()) for path in paths})
    else:
        assert size.log10 > 3.3


@pytest.mark.heavy
def test_the_estimate_agrees_with_the_exact_count() -> None:
    stage = {
        "per": "block",
        "depth": [1, 2, 3, 4],
        "operation": ["conv", "separable", "branching"],
        "kernel": [1, 3, 5],
    }
    space = make(stage, stage, {"stride": [1, 2, 4]}, shape=(1, 16, 16))
    exact, estimate = space.size(), space.size(limit=1)
    assert exact.exact
    assert exact.count is not None
    assert exact.count > 10**7
    assert not estimate.exact
    assert estimate.count is None
    # beyond 4 standard errors: 1 false alarm in 15,000 if the probes were redrawn; their seed is fixed
    assert abs(estimate.log10 - exact.log10) < 4 * estimate.log10_error
    assert 0 < estimate.log10_error < 0.2


def test_a_huge_space_is_counted_without_enumerating_it() -> None:
    field = list(range(1, 65))
    size = make(*[{"per": "block", "depth": 4, "width": field, "operation": ["conv", "separable"]}] * 32).size()
    assert size.exact
    assert size.count == 64**32 * 2**128


def test_every_visits_each_answer_once() -> None:
    def run(choose: Choose) -> Choices:
        one = choose(Decision(name="one", options=("a", "b"), ordered=False))
        return {"one": one} | (
            {"two": choose(Decision(name="two", options=(1, 2), ordered=True))} if one == "b" else {}
        )

    assert list(every(run)) == [{"one": "a"}, {"one": "b", "two": 1}, {"one": "b", "two": 2}]


# Baseline and replay.


def test_the_baseline_answers_what_the_document_says_and_the_middle_of_the_rest() -> None:
    space = make(
        {"width": [4, 8, 16], "kernel": [1, 3, 5], "norm": ["group", "batch"]}, baseline={"stages.0.width": 16}
    )
    assert space.baseline() == {"stages.0.width": 16, "stages.0.norm": "group", "stages.0.kernel": 3}


def test_a_baseline_that_does_not_fit_this_map_takes_the_nearest_option() -> None:
    space = make({"stride": [1, 2, 4, 8]}, shape=(1, 3, 3), baseline={"stages.0.stride": 8})
    assert space.baseline() == {"stages.0.stride": 2}


def test_replay_falls_back_to_the_nearest_then_to_the_first() -> None:
    kernel = Decision(name="k", options=(1, 3, 7), ordered=True)
    kind = Decision(name="n", options=("batch", "none"), ordered=False)
    assert replay({"k": 3})(kernel) == 3
    assert replay({"k": 6})(kernel) == 7
    assert replay({"k": "wide"})(kernel) == 1
    assert replay({})(kernel) == 1
    assert replay({"n": "none"})(kind) == "none"
    assert replay({"n": "layer"})(kind) == "batch"
    assert replay({}, otherwise=last)(kind) == "none"


def test_constraints_of_the_document_decide_feasibility() -> None:
    space = make({"width": [4, 64]}, constraints=["params <= 300", "depth >= 1"])
    assert [c.text for c in space.constraints] == ["params <= 300", "depth >= 1"]
    assert space.feasible(analyse(space.sample(first)))
    assert not space.feasible(analyse(space.sample(last)))


def test_the_document_is_kept_as_plain_json() -> None:
    given_document = {"schema": 1, "name": "mine", "stages": ({"width": (8, 16)},)}
    space = Space.parse(given_document, input_shape=(1, 8, 8), classes=3)
    assert space.document == {"schema": 1, "name": "mine", "stages": [{"width": [8, 16]}]}
    assert space.name == "mine"
    text = "schema: 1\nname: mine\nstages: [{width: [8, 16]}]\n"
    assert Space.parse(text, input_shape=(1, 8, 8), classes=3).document == space.document
