"""The chain on digits with a tiny network: each step does what it says, and the packed file is exact."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from archsmith.errors import TrialFailure
from search.spec import CompressSpec, CompressStep
from space.analysis import analyse
from space.architecture import Architecture, GraphBuilder
from space.build import build
from workers.compress import int8, masks
from workers.compress.chain import Chain, Winner, attempted
from workers.compress.fine_tuner import FineTuner
from workers.compress.loader import unpack
from workers.compress.sharing import Book, centres, folded
from workers.compress.state import State
from workers.compress.steps import STEPS
from workers.datasets import Dataset, DataStore
from workers.train.job_data import JobData, final_data, search_data
from workers.train.recipe import Recipe

pytestmark = pytest.mark.heavy

RECIPE = Recipe(epochs=4)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return DataStore(tmp_path_factory.mktemp("store")).open("digits", seed=0)


def network() -> Architecture:
    g = GraphBuilder((1, 8, 8), 10)
    x = g.input
    for number, width in enumerate((16, 24)):
        x = g.add(f"part.{number}.conv", "conv2d", {"out": width, "kernel": 3, "bias": False}, x)
        x = g.add(f"part.{number}.norm", "batch_norm", {}, x)
        x = g.add(f"part.{number}.act", "activation", {"kind": "relu"}, x)
    x = g.add("pool", "maxpool", {"kernel": 2, "stride": 2}, x)
    return g.finish(g.add("head", "linear", {"out": 10}, g.add("flat", "flatten", {}, x)))


def fresh() -> State:
    torch.manual_seed(0)
    architecture = network()
    return State(architecture=architecture, weights=build(architecture).state_dict())


@pytest.fixture(scope="module")
def trained(digits: Dataset) -> State:
    return STEPS["reference"](fresh(), FineTuner(data=search_data(digits), recipe=RECIPE)).state


def test_structured_pruning_makes_a_smaller_network(digits: Dataset, trained: State) -> None:
    tuner = FineTuner(data=search_data(digits), recipe=RECIPE, floor=0.0)
    for importance in ("l1", "bn_scale"):
        made = STEPS["prune_structured"](trained, tuner, share=0.5, rounds=2, epochs=1, importance=importance)
        assert made.kept
        assert made.detail["channels"] == {"part.0.conv": [16, 8], "part.1.conv": [24, 12]}
        before, after = analyse(trained.architecture), analyse(made.state.architecture)
        assert after.macs < 0.5 * before.macs
        made.state.module()  # the weights fit


def test_the_least_important_channels_are_removed(digits: Dataset, trained: State) -> None:
    """Filters made tiny must be the ones that are gone: without fine-tuning the others are what they were."""
    weights = {name: tensor.clone() for name, tensor in trained.weights.items()}
    weak = [1, 2, 5, 7, 8, 11, 13, 14]
    weights["part.0.conv.weight"][weak] *= 1e-3
    tuner = FineTuner(data=search_data(digits), recipe=RECIPE, floor=0.0)
    made = STEPS["prune_structured"](trained.having(weights), tuner, share=0.5, rounds=1, epochs=0, importance="l1")
    strong = [number for number in range(16) if number not in weak]
    assert torch.equal(made.state.weights["part.0.conv.weight"], weights["part.0.conv.weight"][strong])


def test_the_stop_rule_refuses_and_nothing_changes(digits: Dataset, trained: State) -> None:
    refused: dict[str, dict[str, Any]] = {
        "prune_structured": {"share": 0.9, "rounds": 1, "epochs": 1, "importance": "l1"},
        "prune_magnitude": {"sparsity": 0.9, "rounds": 2, "epochs": 1},
        "cluster": {"clusters": 128, "epochs": 1},
    }
    for name, options in refused.items():
        tuner = FineTuner(data=search_data(digits), recipe=RECIPE, floor=1.1)
        made = STEPS[name](trained, tuner, **options)
        assert not made.kept
        assert made.state is trained
        assert tuner.verdicts == [False]


def test_pruned_weights_stay_zero_while_the_others_learn(digits: Dataset, trained: State) -> None:
    tuner = FineTuner(data=search_data(digits), recipe=RECIPE, floor=0.0)
    made = STEPS["prune_magnitude"](trained, tuner, sparsity=0.8, rounds=2, epochs=1)
    names = [name for name, tensor in trained.weights.items() if tensor.ndim > 1]
    gone = sum(int((made.state.weights[name] == 0).sum()) for name in names)
    assert gone / sum(trained.weights[name].numel() for name in names) == pytest.approx(0.8, abs=0.01)
    assert made.detail["sparsity"] == pytest.approx(0.8, abs=0.01)
    assert list(made.state.weights) == list(trained.weights)
    assert len(made.state.pack()) < 0.5 * len(trained.pack())


@pytest.mark.slow
def test_a_ticket_begins_from_early_weights_and_is_compared(digits: Dataset) -> None:
    tuner = FineTuner(data=search_data(digits), recipe=RECIPE, floor=0.0)
    made = STEPS["lottery"](fresh(), tuner, sparsity=0.6, rounds=2, rewind_epoch=1)
    assert made.detail["rounds"] == 2
    assert made.detail["sparsity"] == pytest.approx(0.6, abs=0.01)
    assert 0 < made.detail["random_mask_score"] <= 1
    assert made.state.form == "sparse"


def test_random_masks_have_as_many_weights_in_each_layer() -> None:
    keep = {"a": (torch.rand(20, 30) < 0.2).float(), "b": torch.ones(5, 5)}
    drawn = masks.shuffled(keep, seed=1)
    assert {name: mask.sum() for name, mask in drawn.items()} == {name: mask.sum() for name, mask in keep.items()}
    assert not torch.equal(drawn["a"], keep["a"])


def test_the_gradient_of_a_shared_value_is_the_sum_over_its_weights() -> None:
    weight = torch.tensor([[0.0, 1.1, 0.9], [-2.0, 1.0, -2.2]])
    book = Book(*centres(weight, 2))
    values = book.right_inverse(weight).requires_grad_()
    shared = book(values)
    torch.testing.assert_close(shared, torch.tensor([[0.0, 1.0, 1.0], [-2.1, 1.0, -2.1]]))
    gradient = torch.tensor([[100.0, 1.0, 2.0], [30.0, 4.0, 50.0]])
    shared.backward(gradient)
    assert values.grad is not None
    assert values.grad.tolist() == [80.0, 7.0]


def test_folded_statistics_change_no_logit(trained: State) -> None:
    module, x = trained.module().eval(), torch.randn(4, 1, 8, 8)
    other = trained.having(folded(module, trained.weights)).module().eval()
    assert bool((other.get_submodule("part.0.norm").get_buffer("running_var") == 1).all())
    torch.testing.assert_close(other(x), module(x), rtol=1e-4, atol=1e-4)


def test_shared_weights_are_few_and_pruned_ones_stay_zero(digits: Dataset, trained: State) -> None:
    tuner = FineTuner(data=search_data(digits), recipe=RECIPE, floor=0.0)
    sparse = STEPS["prune_magnitude"](trained, tuner, sparsity=0.6, rounds=1, epochs=1).state
    made = STEPS["cluster"](sparse, tuner, clusters=8, epochs=1)
    name = "part.1.conv.weight"
    assert len(made.state.weights[name].unique()) <= 9
    for each in (name, "part.0.conv.weight"):  # one with a book, one too small for it
        assert torch.equal(made.state.weights[each] == 0, sparse.weights[each] == 0)
    coded = STEPS["huffman"](made.state, tuner).state
    assert len(coded.pack()) < len(made.state.pack()) < len(sparse.pack())


def test_the_int8_model_scores_as_the_network_does(digits: Dataset, trained: State) -> None:
    tuner = FineTuner(data=search_data(digits), recipe=RECIPE, floor=score_of(digits, trained) - 0.02)
    made = STEPS["quantise_int8"](trained, tuner, samples=64)
    assert made.kept
    assert made.state is trained
    assert made.detail["bytes"] == len(made.files["model-int8.onnx"])


def score_of(digits: Dataset, state: State) -> float:
    return FineTuner(data=search_data(digits), recipe=RECIPE).score(state)


SPEC = CompressSpec(
    max_drop=0.05,
    steps=(
        CompressStep(name="prune_structured", options={"share": 0.4, "rounds": 1, "epochs": 2}),
        CompressStep(name="prune_magnitude", options={"sparsity": 0.5, "rounds": 1, "epochs": 2}),
        CompressStep(name="cluster", options={"epochs": 1}),
        CompressStep(name="huffman"),
    ),
)


INT8 = CompressStep(name="quantise_int8", options={"samples": 32})
SHORT = replace(RECIPE, epochs=2)


def winner_of(state: State) -> Winner:
    return Winner(architecture=state.architecture.to_json(), weights=save(dict(state.weights)), final_score=0.97)


def test_the_whole_chain_is_decided_on_one_split_and_made_on_another(
    digits: Dataset, trained: State, tmp_path: Path
) -> None:
    asked: list[tuple[str, bool]] = []

    def run(function: Any, task: Any, data: JobData) -> Any:
        if len(asked) == 3 and not list(tmp_path.glob("search-3.json")):
            asked.append(("killed", False))
            raise KeyboardInterrupt
        asked.append((getattr(task, "name", "look"), data.test is not None))
        return attempted(function, task, data)

    chain = Chain(SPEC, winner_of(trained), folder=tmp_path, recipe=RECIPE, run=run)
    with pytest.raises(KeyboardInterrupt):
        chain.compress(search_data(digits), final_data(digits))
    made = chain.compress(search_data(digits), final_data(digits))  # goes on behind what is finished
    names = ["reference", *(step.name for step in SPEC.steps)]
    searched = [(name, False) for name in names]
    assert asked == [*searched[:3], ("killed", False), *searched[3:], *((name, True) for name in names), ("look", True)]
    assert json.loads(json.dumps(made.entry)) == made.entry
    assert [step["kept"] for step in made.entry["steps"]] == [True] * 4
    assert made.entry["bytes"] == len(made.packed) == made.entry["steps"][-1]["bytes"]
    assert made.entry["smaller"] > 5
    assert made.entry["final_score"] > 0.85
    assert made.entry["lost"] == pytest.approx(0.97 - made.entry["final_score"])
    module = build(Architecture.from_json(made.architecture or {}))
    module.load_state_dict(unpack(made.packed))


def test_a_step_that_fails_is_left_out_and_reported(digits: Dataset, trained: State, tmp_path: Path) -> None:
    def run(function: Any, task: Any, data: JobData) -> Any:
        if getattr(task, "name", "") == "cluster":
            return TrialFailure("the loss is nan", cause="diverged")
        return attempted(function, task, data)

    spec = replace(SPEC, steps=SPEC.steps[2:])
    chain = Chain(spec, winner_of(trained), folder=tmp_path, recipe=replace(RECIPE, epochs=1), run=run)
    made = chain.compress(search_data(digits), final_data(digits))
    assert [(step["kept"], step.get("stopped_because")) for step in made.entry["steps"]] == [
        (False, "the loss is nan"),
        (True, None),
    ]


def test_a_runtime_that_raises_ends_its_step_alone(
    digits: Dataset, trained: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any, **__: Any) -> Any:
        raise TypeError("no such operator\nand a long trace")

    monkeypatch.setattr(int8, "quantize_static", crash)
    steps = (CompressStep(name="prune_magnitude", options={"sparsity": 0.3, "epochs": 1}), INT8)
    chain = Chain(CompressSpec(max_drop=1.0, steps=steps), winner_of(trained), folder=tmp_path, recipe=SHORT)
    made = chain.compress(search_data(digits), final_data(digits))
    assert [(step["kept"], step["stopped_because"]) for step in made.entry["steps"]] == [
        (True, None),
        (False, "crashed: onnxruntime.quantization: TypeError: no such operator"),
    ]


@pytest.mark.parametrize("broken", ["quantised", "_seen"])
def test_a_bug_of_ours_in_a_step_is_not_taken_for_a_failed_step(
    digits: Dataset, trained: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def slip(*_: Any, **__: Any) -> Any:
        raise TypeError("unsupported operand")

    monkeypatch.setattr(int8, broken, slip)
    chain = Chain(CompressSpec(max_drop=1.0, steps=(INT8,)), winner_of(trained), folder=tmp_path, recipe=SHORT)
    with pytest.raises(TypeError, match="unsupported operand"):
        chain.compress(search_data(digits), final_data(digits))


@pytest.mark.slow
def test_the_int8_model_has_its_own_scores(
    digits: Dataset, trained: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row has the scores of the file beside the network, not of the network that the next step gets."""
    monkeypatch.setattr(int8.Session, "forward", lambda *inputs: torch.zeros(len(inputs[1]), 10))
    chain = Chain(CompressSpec(max_drop=1.0, steps=(INT8,)), winner_of(trained), folder=tmp_path, recipe=SHORT)
    entry = chain.compress(search_data(digits), final_data(digits)).entry
    [row] = entry["steps"]
    assert row["validation_score"] == row["attempts"][-1] < 0.2
    assert entry["validation_score"] > 0.5
    assert row["final_score"] < 0.2 < entry["final_score"]


def test_the_final_stage_cannot_decide(digits: Dataset, trained: State) -> None:
    tuner = FineTuner(data=final_data(digits), recipe=RECIPE, verdicts=[True, False])
    assert (tuner.attempt(lambda: trained), tuner.attempt(lambda: trained)) == (trained, None)
    with pytest.raises(ValueError, match="no validation split"):
        tuner.score(trained)
