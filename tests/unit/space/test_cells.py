"""Cell spaces: NAS-Bench-201 by its published counts, what may be dropped of it, and the cells of DARTS."""

import random
from collections import defaultdict

import pytest
import torch
from torch import nn

from archsmith.errors import InvalidSpace
from space import presets
from space.analysis import analyse
from space.architecture import Architecture
from space.build import build
from space.codegen.writer import generate
from space.space import Space, replay
from tests import nasbench201
from tests.effort import share
from tests.oracle import load_generated


def codes(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choice("01234") for _ in nasbench201.EDGES) for _ in range(count)]


def test_the_space_has_the_published_size() -> None:
    size = nasbench201.space().size()
    assert size.exact
    assert size.count == 5**6


@pytest.mark.sweep
def test_counts_follow_the_formula_of_the_published_tables() -> None:
    space = nasbench201.space()
    for code in codes(share(300), seed=0):
        costs = analyse(nasbench201.cell(space, code))
        assert (costs.params, costs.macs) == nasbench201.counts(code)


@pytest.mark.sweep
def test_counts_are_those_of_the_published_table() -> None:
    """At most 1,000 of the 15,625; tests/integration/test_nasbench201.py goes through all."""
    rows, space = nasbench201.table(), nasbench201.space()
    assert len(rows) == 5**6
    for row in random.Random(0).sample(rows, share(1000)):
        costs = analyse(nasbench201.cell(space, row.code))
        assert costs.params == row.params
        assert f"{costs.macs / 1e6:.6g}" == f"{float(row.mmacs):.6g}"


@pytest.mark.sweep
def test_cells_have_one_hash_exactly_when_they_are_the_same() -> None:
    """By brute force over the numberings of a cell's operations."""
    space, by_hash, by_form = nasbench201.space(), defaultdict(set), defaultdict(set)
    count = share(1000)
    for code in codes(count, seed=1):
        digest, form = nasbench201.cell(space, code).hash, nasbench201.same(code)
        by_hash[digest].add(form)
        by_form[form].add(digest)
    assert 0.4 * count < len(by_hash) < (0.8 if count == 1000 else 0.95) * count
    assert all(len(forms) == 1 for forms in by_hash.values())
    assert all(len(hashes) == 1 for hashes in by_form.values())


def small(*, dead: str, side: int = 8) -> Space:
    """Two cells of each width, on small images."""
    document = presets.load("nasbench201")
    stages = [{**stage, **({"depth": 2} if "depth" in stage else {})} for stage in document["stages"]]
    return Space.parse(document | {"dead": dead, "stages": stages}, input_shape=(3, side, side), classes=4)


def random_weights(module: nn.Module) -> None:
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            nn.init.uniform_(value, 0.5, 1.5) if name.endswith("var") else nn.init.normal_(value, std=0.5)


@pytest.mark.sweep
def test_what_is_dropped_changes_nothing() -> None:
    """The same weights give the same logits, in use and in training; what is left out had no say in them."""
    torch.manual_seed(0)
    keep, drop = small(dead="keep"), small(dead="drop")
    fewer, count = 0, share(60)
    for code in (*codes(count, seed=2), "000000", "300000", "200300", "030000"):
        whole, lean = nasbench201.cell(keep, code), nasbench201.cell(drop, code)
        assert whole.hash == lean.hash
        modules = [build(network) for network in (whole, lean)]
        random_weights(modules[0])
        modules[1].load_state_dict({key: modules[0].state_dict()[key] for key in modules[1].state_dict()})
        x = torch.randn(3, 3, 8, 8)
        for mode in (False, True):
            logits = [module.train(mode)(x) for module in modules]
            torch.testing.assert_close(logits[0], logits[1])
        fewer += analyse(lean).params < analyse(whole).params
    assert fewer > count / 6


@pytest.mark.sweep
def test_dropped_networks_have_no_zeros_where_something_else_is_added() -> None:
    drop = small(dead="drop")
    for code in codes(share(200), seed=3):
        lean = nasbench201.cell(drop, code)
        zeros = {node.name for node in lean.nodes if node.op == "zero"}
        assert not any(zeros & set(node.inputs) for node in lean.nodes if node.op == "add")
        assert Architecture.from_json(lean.to_json()) == lean


@pytest.mark.heavy
@pytest.mark.parametrize("dead", ["keep", "drop"])
def test_generated_code_of_cells_is_the_module(dead: str) -> None:
    space = small(dead=dead)
    for code in ("312401", "030002", "000000", "433033"):
        architecture = nasbench201.cell(space, code)
        module, written = build(architecture), load_generated(generate(architecture))
        written.load_state_dict(module.state_dict(), strict=True)
        x = torch.randn(2, 3, 8, 8)
        torch.testing.assert_close(written.eval()(x), module.eval()(x), atol=1e-5, rtol=0)


def test_edges_may_be_restricted() -> None:
    document = {
        "schema": 1,
        "per": "space",
        "stages": [{"operation": "nasbench201", "width": 8, "edge_operation": ["none", "nor_conv_3x3"]}],
    }
    space = Space.parse(document, input_shape=(3, 8, 8), classes=2)
    assert space.size().count == 2**6
    fixed = document | {"stages": [{"operation": "nasbench201", "width": 8, "edge_operation": "skip_connect"}]}
    assert Space.parse(fixed, input_shape=(3, 8, 8), classes=2).size().count == 1


def darts(**stage: object) -> Space:
    document = {"schema": 1, "stages": [{"operation": "darts", "width": 16, **stage}]}
    return Space.parse(document, input_shape=(3, 8, 8), classes=2)


def test_darts_has_the_size_of_its_paper() -> None:
    """Section 3.1: for one cell of 4 nodes 7^8 · 180 ways, as 1·3·6·10 pairs of inputs are 180."""
    assert darts().size().count == 7**8 * 180
    assert darts(node_operation=["skip_connect", "sep_conv_3x3"], nodes=[2, 3]).size().count == 2**4 * 3 + 2**6 * 18
    two = Space.parse(presets.load("darts_cell"), input_shape=(3, 32, 32), classes=10)
    assert two.size().count == (7**8 * 180) ** 2


def test_the_published_genotype_reads_what_it_should() -> None:
    space = Space.parse(presets.load("darts_cell"), input_shape=(3, 32, 32), classes=10)
    architecture = space.sample(replay(space.baseline()))
    nodes = {node.name: node for node in architecture.nodes}
    cell = "stages.2.blocks.1"
    assert nodes[f"{cell}.node3.add"].inputs == (f"{cell}.before.norm", f"{cell}.node3.second.norm")
    assert nodes[f"{cell}.node3.second.act"].inputs == (f"{cell}.node0.add",)
    assert nodes[f"{cell}.node3.second.depthwise"].attrs["dilation"] == 2
    assert nodes[f"{cell}.before.act"].inputs == ("stages.1.blocks.0.concat",)
    assert nodes[f"{cell}.last.act"].inputs == ("stages.2.blocks.0.concat",)
    reduction = "stages.3.blocks.0"
    assert nodes[f"{reduction}.node0.first.pool"].attrs["stride"] == 2
    assert architecture.shapes[f"{reduction}.concat"] == (128, 8, 8)
    assert 30_000 < analyse(architecture).params < 500_000


def test_the_first_cell_reads_the_stem_twice() -> None:
    space = Space.parse(presets.load("darts_cell"), input_shape=(3, 16, 16), classes=3)
    nodes = {node.name: node for node in space.sample(replay(space.baseline())).nodes}
    sources = {nodes[f"stages.0.blocks.0.{which}.act"].inputs for which in ("before", "last")}
    assert sources == {("stem.norm",)}


@pytest.mark.heavy
@pytest.mark.parametrize("shape", [(1, 5, 9), (2, 4, 6, 5)])
def test_random_cells_of_darts_train(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    space = Space.parse(presets.load("darts_cell"), input_shape=shape, classes=3)
    draw = random.Random(0)
    for _ in range(6):
        architecture = space.sample(lambda decision: draw.choice(decision.options))
        module = build(architecture)
        module(torch.randn(4, *shape)).square().sum().backward()
        assert all(parameter.grad is not None for parameter in module.parameters())
        assert sum(p.numel() for p in module.parameters()) == analyse(architecture).params


def test_impossible_cells_are_refused() -> None:
    with pytest.raises(InvalidSpace, match="a cell of 6 nodes needs a width of at least 6"):
        darts(nodes=[2, 6], width=4)
    with pytest.raises(InvalidSpace, match="the first node has nothing else to read"):
        darts(node_inputs=["0+2", "1+2"])
