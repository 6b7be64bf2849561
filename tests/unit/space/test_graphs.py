"""Graph networks: the layers of the papers as blocks spell them, heads for nodes, graphs and links, documents."""

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archsmith.errors import InvalidArchitecture, InvalidSpace
from space import presets
from space.analysis import analyse
from space.architecture import Architecture, GraphBuilder
from space.blocks import BLOCKS
from space.blocks.base import Style
from space.build import build
from space.codegen.writer import generate
from space.operations import OPERATIONS
from space.operations.base import Layer
from space.picture.drawing import draw
from space.space import Space, replay
from tests.oracle import batch_of, load_generated, network_macs, rows_of
from tests.spaces import sample

torch.set_num_threads(1)

EDGES = torch.tensor([[0, 1, 1, 2, 0, 2, 3, 4], [1, 0, 2, 1, 2, 0, 4, 3]])
"""A triangle 0 1 2, a pair 3 4, and node 5 alone."""

TASKS = ("nodes", "graphs", "links")


def document(data: str, **changes: Any) -> dict[str, Any]:
    return {"schema": 1, "data": data, "stages": [{"operation": "gcn", "width": 8}], **changes}


def space(data: str, features: int = 5, **changes: Any) -> Space:
    classes = 2 if data == "links" else 3
    return Space.parse(document(data, **changes), input_shape=(features,), classes=classes)


def first(one: Space) -> Architecture:
    return one.sample(lambda decision: decision.options[0])


def ops(architecture: Architecture) -> list[str]:
    return [node.op for node in architecture.nodes if node.op not in ("input", "index")]


def layer(name: str, attrs: dict[str, Any], features: int) -> nn.Module:
    operation = OPERATIONS[name]
    assert isinstance(operation, Layer)
    return operation.module(operation.check(attrs), [(features,), ()])


def block(name: str, features: int, width: int, norm: str = "none", **answers: Any) -> Architecture:
    """The block alone, on nodes; its output is the network's."""
    g = GraphBuilder((features,), width, data="nodes")
    style = Style(width=width, stride=1, padding="same", norm=norm, activation="none")
    return g.finish(BLOCKS[name].grow(g, "block", g.input, answers.__getitem__, style))


def adjacency(nodes: int = 6) -> Tensor:
    matrix = torch.zeros(nodes, nodes)
    matrix[EDGES[1], EDGES[0]] = 1
    return matrix


@pytest.mark.heavy
def test_a_graph_convolution_is_equation_2_of_the_paper() -> None:
    module = layer("gcn_conv", {"out": 3}, 5)
    weights = dict(module.named_parameters())
    nn.init.normal_(weights["bias"])
    x, own = torch.randn(6, 5), adjacency() + torch.eye(6)
    scale = torch.diag(own.sum(1) ** -0.5)
    expected = scale @ own @ scale @ x @ weights["lin.weight"].T + weights["bias"]
    torch.testing.assert_close(module(x, EDGES), expected)


@pytest.mark.parametrize("aggregation", ["mean", "sum"])
def test_sage_with_weights_first_is_the_layer_of_torch_geometric(aggregation: str) -> None:
    from torch_geometric.nn import SAGEConv

    ours, theirs = build(block("sage", 5, 4, aggregation=aggregation)), SAGEConv(5, 4, aggr=aggregation)
    parts = dict(ours.named_modules())
    theirs.lin_r.weight, theirs.lin_l.weight = parts["block.own"].weight, parts["block.message"].weight
    theirs.lin_l.bias = parts["block.own"].bias
    x = torch.randn(6, 5)
    torch.testing.assert_close(ours(x, EDGES), theirs(x, EDGES))


@pytest.mark.parametrize(("features", "sum_first"), [(3, True), (9, False)])
def test_gin_is_the_layer_of_torch_geometric_in_either_order(features: int, sum_first: bool) -> None:
    """Wide features are made narrow before they are added up, unless a bias would be added up with them."""
    from torch_geometric.nn import GINConv

    architecture = block("gin", features, 4, norm="batch")
    assert (ops(architecture)[0] == "neighbours") == sum_first
    assert ops(block("gin", features, 4))[0] == "neighbours"
    ours = build(architecture).eval()
    parts = dict(ours.named_modules())
    theirs = GINConv(nn.Sequential(parts["block.hidden"], parts["block.hidden_norm"], parts["block.linear"]))
    x = torch.randn(6, features)
    torch.testing.assert_close(ours(x, EDGES), parts["block.norm"](theirs(x, EDGES)))


def test_a_node_without_neighbours_gets_zeros() -> None:
    x = torch.randn(6, 5)
    for aggregation in ("mean", "sum", "max"):
        heard = layer("neighbours", {"aggregation": aggregation}, 5)(x, EDGES)
        assert heard[5].eq(0).all()
        torch.testing.assert_close(heard[3], x[4])


def test_a_readout_gives_a_row_for_every_graph_and_learns() -> None:
    x, graph = torch.randn(6, 4, requires_grad=True), torch.tensor([0, 0, 1, 2, 2, 2])
    wanted: dict[str, Callable[[Tensor], Tensor]] = {
        "sum": lambda part: part.sum(0),
        "mean": lambda part: part.mean(0),
        "max": lambda part: part.amax(0),
    }
    for how, of_rows in wanted.items():
        pooled = layer("graph_pool", {"how": how}, 4)(x, graph)
        expected = torch.stack([of_rows(x[graph == number]) for number in range(3)])
        torch.testing.assert_close(pooled, expected)
        ours, theirs = (torch.autograd.grad(y.square().sum(), x)[0] for y in (pooled, expected))
        torch.testing.assert_close(ours, theirs)


@pytest.mark.heavy
def test_readouts_and_convolutions_can_be_exported() -> None:
    for name in ("gcn", "sage", "gin", "gat"):
        one = space("graphs", stages=[{"operation": name, "width": 8}], head={"readout": "mean"})
        module = build(first(one)).eval()
        nodes, links = torch.export.Dim("nodes", min=2), torch.export.Dim("links", min=2)
        shapes = ({0: nodes}, {1: links}, {0: nodes})
        graph = torch.tensor([0, 0, 1, 2, 2, 2])
        program = torch.export.export(module, (torch.randn(6, 5), EDGES, graph), dynamic_shapes={"inputs": shapes})
        other = (torch.randn(4, 5), torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0, 1, 1]))
        torch.testing.assert_close(program.module()(*other), module(*other))


def test_the_softmax_of_a_dot_decoder_is_the_sigmoid_of_the_product() -> None:
    plain = {"operation": "gcn", "width": 8, "norm": "none", "activation": "none"}
    architecture = first(space("links", stages=[plain], head={"decoder": "dot"}))
    assert ops(architecture) == ["gcn_conv", "link_dot"]
    module = build(architecture).eval()
    x, edges, pairs = batch_of("links", (5,))
    places = module.get_submodule("stages.0.blocks.0.conv")(x, edges)
    product = (places[pairs[0]] * places[pairs[1]]).sum(dim=1)
    torch.testing.assert_close(module(x, edges, pairs).softmax(dim=1)[:, 1], product.sigmoid())


@pytest.mark.parametrize(("decoder", "same"), [("dot", True), ("hadamard", True), ("concat", False)])
def test_which_decoders_depend_on_the_order_of_a_pair(decoder: str, same: bool) -> None:
    module = build(first(space("links", head={"decoder": decoder, "hidden": 4}))).eval()
    x, edges, pairs = batch_of("links", (5,))
    assert torch.allclose(module(x, edges, pairs), module(x, edges, pairs.flip(0)), atol=1e-6) == same


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["graph_node", "graph_class", "link_prediction"])
def test_random_networks_agree_with_their_analysis_and_code(name: str) -> None:
    data = presets.load(name)["data"]
    one = Space.parse(presets.load(name), input_shape=(6,), classes=2)
    for seed in range(12):
        architecture = sample(one, seed)
        module, costs = build(architecture).eval(), analyse(architecture)
        batch = batch_of(data, (6,))
        logits = module(*batch)
        assert logits.shape == (rows_of(architecture), 2)
        assert costs.params == sum(p.numel() for p in module.parameters())
        assert costs.macs == network_macs(architecture, module)
        generated = load_generated(generate(architecture)).eval()
        generated.load_state_dict(module.state_dict(), strict=True)
        torch.testing.assert_close(generated(*batch), logits, atol=1e-5, rtol=0)
        back = Architecture.from_json(architecture.to_json())
        assert (back, back.hash) == (architecture, architecture.hash)
        assert draw(back) == draw(architecture)


@pytest.mark.parametrize("operation", ["gcn", "sage", "gin", "gat", "mlp"])
def test_the_receptive_field_counts_the_hops_that_reach_a_node(operation: str) -> None:
    """On a path of nodes, moving the first one is heard as far as the receptive field says, and no farther."""
    stages = [{"operation": operation, "width": 8, "depth": 3, "norm": "none", "activation": "elu"}]
    architecture = first(space("nodes", stages=stages, head={"last": "gcn"}))
    torch.manual_seed(0)
    module = build(architecture).eval()
    path = torch.stack([torch.arange(9), torch.arange(1, 10)])
    edges, x = torch.cat([path, path.flip(0)], dim=1), torch.randn(10, 5)
    moved = x.clone()
    moved[0] += 1
    heard = (module(x, edges) != module(moved, edges)).any(dim=1).nonzero().flatten()
    assert int(heard.max()) == analyse(architecture).receptive_field == (1 if operation == "mlp" else 4)


def test_the_baselines_are_the_published_networks() -> None:
    made = {}
    for name, shape, classes in (
        ("graph_node", (1433,), 7),
        ("graph_class", (7,), 2),
        ("link_prediction", (1433,), 2),
    ):
        one = Space.parse(presets.load(name), input_shape=shape, classes=classes)
        made[name] = one.sample(replay(one.baseline()))
    assert ops(made["graph_node"]) == ["dropout", "gcn_conv", "activation", "dropout", "gcn_conv"]
    assert analyse(made["graph_node"]).params == 1433 * 16 + 16 + 16 * 7 + 7
    assert ops(made["link_prediction"]) == ["gcn_conv", "activation", "gcn_conv", "link_dot"]
    assert ops(made["graph_class"]).count("neighbours") == 4
    assert "graph_pool" in ops(made["graph_class"])


def test_generated_code_reads_like_a_person_wrote_it() -> None:
    one = space("nodes", input_dropout=0.5, stages=[{"operation": "gcn", "width": 16, "norm": "none"}])
    code = generate(first(one))
    assert "from torch import Tensor, nn\nfrom torch_geometric.nn import GCNConv\n" in code
    assert '"""(N, 5) and (2, E) -> (N, 16). Stands at stages.0.blocks.0."""' in code
    assert "class GCNReLU(nn.Module):" in code
    assert "        self.conv = GCNConv(5, 16)\n" in code
    assert "    def forward(self, x: Tensor, edges: Tensor) -> Tensor:\n" in code
    assert "x = self.conv(x, edges)  # (N, 16)" in code
    links = generate(first(space("links", head={"decoder": "concat"})))
    assert "torch.cat([x[pairs[0]], x[pairs[1]]], dim=1)" in links
    graphs = generate(first(space("graphs")))
    assert graphs.count("class GraphPool(nn.Module):") == 1
    assert 'self.readout = GraphPool("mean")' in graphs
    assert "# (G, 3)" in graphs


@pytest.mark.parametrize("data", TASKS)
def test_a_picture_names_the_indices(data: str) -> None:
    drawing = draw(first(space(data)))
    for index in {"nodes": ["edges"], "graphs": ["edges", "graph"], "links": ["edges", "pairs"]}[data]:
        assert re.search(rf">{index}<", drawing)


@pytest.mark.heavy
def test_torch_geometric_is_imported_only_to_build() -> None:
    code = (
        "import sys; from space.space import Space; from space import presets;"
        "one = Space.parse(presets.load('graph_node'), input_shape=(5,), classes=3);"
        "from space.codegen.writer import generate; generate(one.sample(lambda decision: decision.options[0]));"
        "assert not {'torch', 'torch_geometric'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def faults(
    value: dict[str, Any], shape: tuple[int, ...] = (5,), tasks: tuple[str, ...] | None = None
) -> dict[str, str]:
    with pytest.raises(InvalidSpace) as caught:
        Space.parse(value, input_shape=shape, classes=2, tasks=tasks)
    return {fault.pointer: fault.rule for fault in caught.value.faults}


def test_spaces_and_data_of_different_kinds_do_not_meet() -> None:
    images = {"schema": 1, "stages": [{"operation": "conv"}]}
    assert faults(images, tasks=("nodes", "links")) == {"/data": "data_mismatch"}
    assert faults(document("nodes"), (3, 8, 8), ("image",)) == {"/data": "data_mismatch"}
    assert faults(document("graphs"), tasks=("nodes", "links")) == {"/data": "data_mismatch"}
    assert Space.parse(document("links"), input_shape=(5,), classes=2, tasks=("nodes", "links")).data == "links"


@pytest.mark.parametrize(
    ("changes", "pointer", "rule"),
    [
        ({"stem": {"width": 8}}, "/stem", "combination_unsupported"),
        ({"stages": [{"operation": "gcn", "kernel": 3}]}, "/stages/0/kernel", "unknown_field"),
        ({"stages": [{"operation": "gcn", "stride": 2}]}, "/stages/0/stride", "unknown_field"),
        ({"stages": [{"operation": "gcn", "pool": "max"}]}, "/stages/0/pool", "unknown_field"),
        ({"stages": [{"operation": ["gcn", "conv"]}]}, "/stages/0/operation/1", "combination_unsupported"),
        ({"stages": [{"operation": "gat", "width": [8, 10], "heads": [2, 4]}]}, "/stages/0/heads", "out_of_range"),
        ({"stages": [{"operation": "sage", "aggregation": "median"}]}, "/stages/0/aggregation", "choice_unknown"),
        ({"head": {"pool": "max"}}, "/head/pool", "unknown_field"),
        ({"head": {"kind": "capsule"}}, "/head/kind", "unknown_field"),
        ({"head": {"readout": "sum"}}, "/head/readout", "unknown_field"),
        ({"head": {"decoder": "dot"}}, "/head/decoder", "unknown_field"),
    ],
)
def test_what_has_no_meaning_for_nodes_is_refused(changes: dict[str, Any], pointer: str, rule: str) -> None:
    assert faults(document("nodes", **changes)) == {pointer: rule}


def test_blocks_of_graphs_are_refused_on_images_and_three_classes_of_links() -> None:
    images = {"schema": 1, "stages": [{"operation": "gcn"}]}
    assert faults(images, (3, 8, 8)) == {"/stages/0/operation/0": "combination_unsupported"}
    with pytest.raises(InvalidSpace, match="links have 2 classes"):
        Space.parse(document("links"), input_shape=(5,), classes=3)


def test_layers_of_nodes_read_nodes() -> None:
    g = GraphBuilder((5,), 2, data="graphs")
    pooled = g.add("pool", "graph_pool", {}, g.input)
    for op, inputs, message in (
        ("gcn_conv", (pooled,), "reads nodes of a graph, got rows of graph"),
        ("add", (pooled, g.input), "reads rows of different kinds"),
        ("gcn_conv", (g.input, g.index("graph")), "reads the indices edges last"),
        ("link_dot", (g.input,), "has no index pairs"),
    ):
        with pytest.raises(InvalidArchitecture, match=message):
            g.add("x", op, {"out": 4} if op == "gcn_conv" else {}, *inputs)
    with pytest.raises(InvalidArchitecture, match="heads 3 must divide the 4 features"):
        g.add("x", "gat_conv", {"out": 4, "heads": 3}, g.input)
