"""What the blocks with shortcuts, gates, dense connections and parallel paths are made of, beside their papers."""

from typing import Any

import pytest
import torch

from archsmith.errors import InvalidSpace
from space.analysis import analyse
from space.architecture import Architecture, GraphBuilder
from space.blocks import BLOCKS
from space.blocks.base import Style
from space.build import build
from space.codegen.writer import generate
from space.decision import Decision, Option
from space.node import Node
from space.operations import OPERATIONS
from space.operations.base import Function
from space.space import Space

Shape = tuple[int, ...]


def grow(block: str, answers: dict[str, Option], shape: Shape = (8, 9, 7), **style: Any) -> Architecture:
    """One block below "it", global pooling, two classes."""
    settings: dict[str, Any] = {"width": 8, "stride": 1, "padding": "same", "norm": "none", "activation": "relu"}
    g = GraphBuilder(shape, 2)
    x = BLOCKS[block].grow(g, "it", g.input, answers.__getitem__, Style(**(settings | {"bias": "never"} | style)))
    x = g.add("end.flat", "flatten", {}, g.add("end.pool", "global_avg_pool", {}, x))
    return g.finish(g.add("end.out", "linear", {"out": 2}, x))


def nodes(architecture: Architecture) -> dict[str, Node]:
    return {node.name.removeprefix("it."): node for node in architecture.nodes}


def weights(architecture: Architecture) -> int:
    """Parameters of the block alone."""
    return sum(cost.params for cost in analyse(architecture).nodes if cost.name.startswith("it."))


def document(**stage: Any) -> dict[str, Any]:
    return {"schema": 1, "stages": [stage]}


RESNET: dict[str, Option] = {"kernel": 3, "reduction": 4, "squeeze": 0, "drop_path": 0.0}


def test_bottleneck_has_the_weights_of_the_paper() -> None:
    """He et al. 2016, figure 5: 256 channels, 1×1 to 64, 3×3 of 64, 1×1 to 256."""
    paper = grow("bottleneck", RESNET, (256, 4, 4), width=256)
    assert weights(paper) == 256 * 64 + 9 * 64 * 64 + 64 * 256
    assert list(nodes(paper))[1:-3] == [
        "reduce.conv", "reduce.act", "middle.conv", "middle.act", "expand.conv", "add", "act"
    ]  # fmt: skip
    assert nodes(paper)["add"].inputs == ("it.expand.conv", "input")


def test_bottleneck_strides_in_the_middle_and_projects_the_shortcut() -> None:
    halved = nodes(grow("bottleneck", RESNET, stride=2))
    assert [halved[f"{name}.conv"].attrs["stride"] for name in ("reduce", "middle", "expand", "shortcut")] == [
        1, 2, 1, 2
    ]  # fmt: skip
    assert halved["shortcut.conv"].attrs["kernel"] == 1


@pytest.mark.parametrize("block", ["bottleneck", "resnext"])
def test_bottlenecks_take_the_gate_and_the_dropped_paths(block: str) -> None:
    answers = RESNET | {"cardinality": 2, "squeeze": 4, "drop_path": 0.25}
    found = nodes(grow(block, answers, width=16, norm="batch"))
    assert found["squeeze.multiply"].inputs[0] == "it.expand.norm"
    assert found["drop_path"].inputs == ("it.squeeze.multiply",)
    assert found["drop_path"].attrs["rate"] == 0.25


def test_resnext_has_the_weights_of_the_paper() -> None:
    """Xie et al. 2017, section 3.3: C · (256 · d + 9 · d² + d · 256) for C = 32 paths of d = 4 channels."""
    paper = grow("resnext", RESNET | {"reduction": 2, "cardinality": 32}, (256, 4, 4), width=256)
    assert weights(paper) == 32 * (256 * 4 + 9 * 4 * 4 + 4 * 256)
    assert nodes(paper)["middle.conv"].attrs["groups"] == 32


def test_resnext_with_one_path_is_a_bottleneck() -> None:
    one = grow("resnext", RESNET | {"cardinality": 1}, width=16)
    assert one.hash == grow("bottleneck", RESNET, width=16).hash


@pytest.mark.parametrize(
    ("stage", "pointer", "rule", "says"),
    [
        (
            {"operation": "resnext", "width": [32, 64], "cardinality": [4, 16]},
            "/stages/0/cardinality",
            "out_of_range",
            "a cardinality of 16 is over the 8 channels inside (width 32 / reduction 4)",
        ),
        (
            {"operation": "resnext", "width": 48, "cardinality": 8},
            "/stages/0/cardinality",
            "combination_unsupported",
            "a cardinality of 8 does not divide the 12 channels inside (width 48 / reduction 4)",
        ),
        (
            {"operation": "resnext", "width": 64, "cardinality": 32, "reduction": [1, 2, 4]},
            "/stages/0/cardinality",
            "out_of_range",
            "over the 16 channels",
        ),
        (
            {"operation": "branching", "width": [4, 64], "branches": [2, 8]},
            "/stages/0/width",
            "out_of_range",
            "joining 8 branches by concat needs a width of at least 8, got 4",
        ),
        ({"operation": "dense", "layers": 65}, "/stages/0/layers", "out_of_range", "from 1 to 64, got 65"),
        ({"operation": "nonlocal", "affinity": "dot"}, "/stages/0/affinity", "choice_unknown", "got 'dot'"),
    ],
)
def test_what_cannot_be_is_refused(stage: dict[str, Any], pointer: str, rule: str, says: str) -> None:
    with pytest.raises(InvalidSpace) as error:
        Space.parse(document(**stage), input_shape=(1, 8, 8), classes=2)
    [fault] = error.value.faults
    assert (fault.pointer, fault.rule) == (pointer, rule)
    assert says in fault.detail


@pytest.mark.parametrize(
    ("most", "over"),
    [
        ({"operation": "dense", "depth": 14, "layers": 64}, {"depth": 15}),
        ({"operation": "branching", "depth": 15, "branches": [2, 8], "branch_operation": ["conv", "separable"],
          "branch_depth": [1, 4], "branch_reduction": 2, "merge": "add"}, {"depth": 18}),
    ],
)  # fmt: skip
def test_blocks_may_not_grow_beyond_what_an_architecture_holds(most: dict[str, Any], over: dict[str, Any]) -> None:
    space = Space.parse(document(**most), input_shape=(1, 4, 4), classes=2)
    assert len(space.sample(lambda decision: decision.options[-1]).nodes) > 3000
    with pytest.raises(InvalidSpace, match="at most 3840 nodes together, got up to 39") as error:
        Space.parse(document(**most | over), input_shape=(1, 4, 4), classes=2)
    assert [(fault.pointer, fault.rule) for fault in error.value.faults] == [("/stages", "out_of_range")]


def test_a_width_multiplier_must_leave_every_cardinality_its_channels() -> None:
    halved = document(operation="resnext", width=64, cardinality=16) | {"width_multiplier": [0.5, 1]}
    with pytest.raises(InvalidSpace, match="over the 8 channels inside"):
        Space.parse(halved, input_shape=(1, 8, 8), classes=2)


def test_highway_mixes_a_convolution_with_its_input() -> None:
    """Srivastava et al. 2015, equation 3, and the carry by a gate that starts nearly shut."""
    plain = nodes(grow("highway", {"kernel": 3}))
    assert plain["mix"].inputs == ("it.gate.conv", "it.transform.act", "input")
    assert weights(grow("highway", {"kernel": 3})) == 2 * 9 * 8 * 8
    gate = OPERATIONS["gate"]
    assert isinstance(gate, Function)
    open_, shut, fresh = (torch.full((1, 1, 1, 1), z) for z in (50.0, -50.0, 0.0))
    new, old = torch.tensor(3.0), torch.tensor(-1.0)
    assert gate.apply([open_, new, old]).item() == pytest.approx(3)
    assert gate.apply([shut, new, old]).item() == pytest.approx(-1)
    assert gate.apply([fresh, new, old]).item() == pytest.approx(-1 + 4 * 0.1192, abs=1e-3)


@pytest.mark.parametrize(("shape", "stride"), [((3, 9, 7), 1), ((8, 9, 7), 2)])
def test_highway_projects_only_when_shapes_differ(shape: Shape, stride: int) -> None:
    found = nodes(grow("highway", {"kernel": 3}, shape, stride=stride))
    assert found["mix"].inputs[2] == "it.carry.conv"
    assert (found["carry.conv"].attrs["kernel"], found["carry.conv"].attrs["stride"]) == (1, stride)


DENSE: dict[str, Option] = {"kernel": 3, "layers": 3, "growth": 4}


def test_each_dense_layer_reads_all_before_it() -> None:
    """Huang et al. 2017, section 3: layer l reads k0 + k · (l - 1) channels, in the order norm, activation, conv."""
    found = grow("dense", DENSE, norm="batch")
    assert [found.shapes[f"it.layers.{i}.norm"][0] for i in range(3)] == [8, 12, 16]
    assert weights(found) == sum(2 * c + 9 * c * 4 for c in (8, 12, 16)) + 2 * 20 + 20 * 8
    row = [name for name in nodes(found) if name.startswith("layers.1")]
    assert row == ["layers.1.norm", "layers.1.act", "layers.1.conv"]
    assert nodes(found)["joined.2"].inputs == ("it.joined.1", "it.layers.2.conv")


@pytest.mark.parametrize(
    ("shape", "stride", "kernel"), [((8, 8, 6), 2, 2), ((8, 9, 6), 2, 3), ((8, 9, 6, 3), 3, 3), ((8, 7, 7), 4, 5)]
)
def test_a_dense_transition_averages(shape: Shape, stride: int, kernel: int) -> None:
    found = grow("dense", DENSE, shape, stride=stride)
    assert nodes(found)["pool"].attrs["kernel"] == kernel
    assert found.shapes["it.pool"] == (8, *(-(-side // stride) for side in shape[1:]))


def branches(*kinds: tuple[str, int, int], merge: str = "concat", reduction: int = 1) -> dict[str, Option]:
    """The answers for branches of (operation, kernel, depth)."""
    answers: dict[str, Option] = {"branches": len(kinds), "merge": merge, "branch_reduction": reduction}
    for i, (operation, kernel, depth) in enumerate(kinds):
        answers |= {f"branch{i}.operation": operation, f"branch{i}.kernel": kernel, f"branch{i}.depth": depth}
    return answers


def test_branching_can_be_the_inception_module() -> None:
    """Szegedy et al. 2015, figure 2b: 1×1; 1×1, 3×3; 1×1, 5×5; 3×3 max pooling, 1×1."""
    answers = branches(("conv", 1, 1), ("conv", 3, 1), ("conv", 5, 1), ("maxpool", 3, 1), reduction=2)
    found = grow("branching", answers)
    assert [name for name, node in nodes(found).items() if node.op in ("conv2d", "maxpool", "concat")] == [
        "branch0.conv", "branch1.0.conv", "branch1.1.conv", "branch2.0.conv", "branch2.1.conv",
        "branch3.0", "branch3.1.conv", "concat",
    ]  # fmt: skip
    reduced = 8 * 4  # a 1×1 convolution to half of the 8 channels
    assert weights(found) == 8 * 2 + (reduced + 9 * 4 * 2) + (reduced + 25 * 4 * 2) + 8 * 2


@pytest.mark.parametrize(
    ("operation", "kernel", "depth", "weighs"),
    [
        ("conv", 3, 2, 9 * 8 * 4 + 9 * 4 * 4),
        ("separable", 3, 2, (9 * 8 + 8 * 4) + (9 * 4 + 4 * 4)),
        ("factorised", 3, 1, 3 * 8 * 4 + 3 * 4 * 4),
        ("factorised", 1, 1, 8 * 4),
        ("dilated", 3, 1, 9 * 8 * 4),
        ("maxpool", 3, 2, 8 * 4),
        ("avgpool", 3, 1, 8 * 4),
    ],
)
def test_each_kind_of_branch_has_its_own_weights(operation: str, kernel: int, depth: int, weighs: int) -> None:
    found = grow("branching", branches((operation, kernel, depth)), width=4)
    assert weights(found) == weighs


@pytest.mark.parametrize(("operation", "sees"), [("conv", 9), ("factorised", 9), ("dilated", 17), ("maxpool", 9)])
def test_a_deeper_branch_sees_further(operation: str, sees: int) -> None:
    assert analyse(grow("branching", branches((operation, 5, 2)))).receptive_field == sees


def test_factorised_branches_of_volumes_go_along_each_axis() -> None:
    found = nodes(grow("branching", branches(("factorised", 3, 1)), (8, 5, 6, 7), stride=2))
    assert [found[f"branch0.{i}.conv"].attrs["kernel"] for i in range(3)] == [(3, 1, 1), (1, 3, 1), (1, 1, 3)]
    assert [found[f"branch0.{i}.conv"].attrs["stride"] for i in range(3)] == [2, 1, 1]


def test_branches_are_asked_about_one_by_one() -> None:
    stage = document(
        operation="branching", width=16, branches=[1, 2], merge=["concat", "add"], kernel=[1, 3],
        branch_operation=["conv", "maxpool"], branch_depth=[1, 2],
    )  # fmt: skip
    space = Space.parse(stage, input_shape=(1, 8, 8), classes=2)
    for index, merge in ((0, []), (1, ["merge"])):
        asked: list[str] = []

        def choose(decision: Decision, index: int = index, asked: list[str] = asked) -> Option:
            asked.append(decision.name)
            return decision.options[index]

        space.sample(choose)
        own = [f"branch{i}.{name}" for i in range(index + 1) for name in ("operation", "kernel", "depth")]
        assert asked == [f"stages.0.{name}" for name in ("branches", *merge, *own)]


@pytest.mark.parametrize(
    ("block", "answers", "name"),
    [
        ("bottleneck", RESNET, "BottleneckIt"),
        ("highway", {"kernel": 3}, "HighwayIt"),
        ("dense", DENSE, "DenseIt"),
        ("nonlocal", {"affinity": "gaussian", "reduction": 2}, "NonLocalIt"),
    ],
)
def test_generated_code_names_the_kind_of_block(block: str, answers: dict[str, Option], name: str) -> None:
    assert f"class {name}(nn.Module)" in generate(grow(block, answers, norm="batch"))


@pytest.mark.parametrize("shape", [(3, 12, 10), (2, 6, 5, 7)])
@pytest.mark.parametrize(
    ("block", "answers"),
    [
        ("bottleneck", RESNET | {"squeeze": 2}),
        ("resnext", RESNET | {"cardinality": 2, "reduction": 2}),
        ("highway", {"kernel": 3}),
        ("dense", DENSE),
        ("branching", branches(("conv", 3, 1), ("separable", 3, 1), ("dilated", 3, 2), ("avgpool", 3, 1))),
        ("branching", branches(("factorised", 5, 1), ("maxpool", 3, 1), merge="add", reduction=2)),
        ("nonlocal", {"affinity": "embedded", "reduction": 2}),
        ("nonlocal", {"affinity": "gaussian", "reduction": 2}),
    ],
)
def test_costs_are_those_of_the_module(block: str, answers: dict[str, Option], shape: Shape) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for style in ({"norm": "batch"}, {"stride": 2, "bias": "auto"}, {"norm": "group", "activation": "none"}):
        architecture = grow(block, answers, shape, **style)
        module = build(architecture)
        assert sum(p.numel() for p in module.parameters()) == analyse(architecture).params
        logits = module(torch.randn(3, *shape))
        assert logits.shape == (3, 2)
        logits.sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
