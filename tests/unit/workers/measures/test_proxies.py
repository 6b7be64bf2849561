"""Zero-cost proxies: equal to a calculation by hand, the module unchanged, and never an error."""

import copy
import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from space import presets
from space.build import build
from space.kinds import KINDS
from space.space import Space, replay
from workers.measures.proxies import ACTIVATIONS, PROXIES, jacob_cov, measured, nwot, synflow

Build = Callable[[], nn.Module]

INPUTS = {
    "image": (3, 16, 16),
    "volume": (1, 8, 8, 8),
    "series": (2, 40),
    "segmentation": (3, 16, 16),
    "nodes": (32,),
    "graphs": (16,),
    "links": (32,),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(*, activation: type[nn.Module] = nn.ReLU, width: int = 8) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(2, width, 3, padding=1),
        nn.BatchNorm2d(width),
        activation(),
        nn.Dropout(0.5),
        nn.Conv2d(width, width, 3),
        nn.GroupNorm(2, width),
        activation(),
        nn.Flatten(),
        nn.Linear(9 * width, 3),
    )


def images(count: int = 6) -> Tensor:
    return torch.randn(count, 2, 5, 5, generator=torch.Generator().manual_seed(2))


def test_synflow_is_the_sum_over_all_paths() -> None:
    """In a network without biases each layer's sum of |w| · dR/d|w| is R, the sum over the paths."""
    first, second = nn.Linear(3, 4, bias=False), nn.Linear(4, 2, bias=False)
    a, b = (layer.weight.detach().abs().double().numpy() for layer in (first, second))
    paths = sum(a[h, i] * b[o, h] for i, h, o in itertools.product(range(3), range(4), range(2)))
    found = synflow(nn.Sequential(first, nn.ReLU(), second), (torch.randn(5, 3),))
    assert found == pytest.approx(math.log(2 * paths), rel=1e-12)


def test_synflow_counts_biases_by_what_flows_from_them() -> None:
    layer = nn.Linear(3, 2)
    total = sum(float(parameter.detach().abs().double().sum()) for parameter in layer.parameters())
    assert synflow(layer, (torch.zeros(1, 3),)) == pytest.approx(math.log(total), rel=1e-12)


def test_synflow_leaves_norms_and_activations_out() -> None:
    plain = network()
    bare = nn.Sequential(plain[0], plain[4], nn.Flatten(), plain[8])
    flows = {kind: synflow(network(activation=kind), (images(),)) for kind in (nn.ReLU, nn.SiLU, nn.Tanh)}
    assert set(flows.values()) == {synflow(bare, (images(),))}


@pytest.mark.heavy
def test_synflow_needs_more_than_single_precision() -> None:
    layers = [nn.Linear(512, 512) for _ in range(60)]
    found = synflow(nn.Sequential(*layers), (torch.zeros(1, 512),))
    assert found is not None
    assert found > math.log(torch.finfo(torch.float32).max)


def by_hand(codes: Sequence[np.ndarray]) -> float:
    """log det of the number of units, of all activations, in which two samples agree."""
    code = np.concatenate([one.reshape(len(one), -1) for one in codes], axis=1)
    agreed = [[int((a == b).sum()) for b in code] for a in code]
    return math.log(np.linalg.det(np.array(agreed, dtype=float)))


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_nwot_is_the_log_determinant_of_the_agreements(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    first, second, act = nn.Linear(3, 7), nn.Linear(7, 5), kind()
    x = torch.randn(4, 3)
    with torch.no_grad():
        before = first(x)
        then = second(act(before))
    expected = by_hand([(before > 0).numpy(), (then > 0).numpy()])
    assert nwot(nn.Sequential(first, act, second, act), (x,)) == pytest.approx(expected, rel=1e-6)


def test_nwot_normalises_by_the_batch() -> None:
    torch.manual_seed(0)
    x = torch.randn(6, 3) + 100.0  # without: all units on, or all off, for every sample
    layer, norm = nn.Linear(3, 16), nn.BatchNorm1d(16)
    assert nwot(nn.Sequential(layer, nn.ReLU()), (x,)) is None
    with torch.no_grad():
        expected = by_hand([(copy.deepcopy(norm)(layer(x)) > 0).numpy()])
    assert nwot(nn.Sequential(layer, norm, nn.ReLU()), (x,)) == pytest.approx(expected, rel=1e-6)


def test_jacob_cov_from_its_definition() -> None:
    module, x = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 2)), torch.randn(5, 6)
    with torch.no_grad():
        open_ = (module[0](x) > 0).double()
        jacobian = (open_ * module.get_parameter("2.weight").double().sum(0)) @ module.get_parameter(
            "0.weight"
        ).double()
    v = np.linalg.eigvalsh(np.corrcoef(jacobian.numpy())).clip(0) + 1e-5
    assert jacob_cov(module, (x,)) == pytest.approx(-(np.log(v) + 1 / v).sum(), rel=1e-4)


def test_jacob_cov_is_lowest_where_all_gradients_are_alike() -> None:
    alike = jacob_cov(nn.Linear(6, 2), (torch.randn(5, 6),))
    v = np.array([5.0, 0, 0, 0, 0]) + 1e-5
    assert alike == pytest.approx(-(np.log(v) + 1 / v).sum(), rel=1e-3)
    other = jacob_cov(nn.Sequential(nn.Linear(6, 50), nn.ReLU(), nn.Linear(50, 2)), (torch.randn(5, 6),))
    assert alike is not None
    assert other is not None
    assert alike < other <= -5.0


def test_the_module_is_unchanged_and_the_value_repeats() -> None:
    module, x = network(), images()
    module[4].weight.requires_grad_(False)
    before, drawn = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    first = measured(module, (x,))
    assert first == measured(module, (x,)) == measured(network(), (images(),))
    assert None not in first.values()
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(part.training for part in module.modules())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not x.requires_grad


def test_other_weights_give_other_numbers() -> None:
    module = network()
    first = measured(module, (images(),))
    with torch.no_grad():
        weight = module.get_parameter("0.weight")
        weight.copy_(torch.randn_like(weight))
    second = measured(module, (images(),))
    assert all(first[name] != second[name] for name in PROXIES)


class Raises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("no memory left")


def poisoned() -> nn.Module:
    module = network()
    with torch.no_grad():
        module.get_parameter("0.weight").fill_(math.nan)
    return module


@pytest.mark.parametrize(
    ("make", "missing"),
    [
        (Raises, {"synflow", "jacob_cov", "nwot"}),
        (poisoned, {"synflow", "jacob_cov", "nwot"}),
        (nn.Flatten, {"synflow", "jacob_cov", "nwot"}),  # no weights, no activations, one Jacobian without variance
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(50, 3)), {"nwot"}),
    ],
)
def test_undefined_values_are_none(make: Build, missing: set[str]) -> None:
    assert {name for name, value in measured(make(), (images(),)).items() if value is None} == missing


def test_samples_that_look_alike_have_no_nwot() -> None:
    x = images()
    x[1] = x[0]
    found = measured(network(), (x,))
    assert found["nwot"] is None
    assert found["synflow"] is not None


def batch(data: str) -> tuple[Tensor, ...]:
    """Of the kind of data; a ring of 12 nodes for graphs, three graphs of four where there are many."""
    kind = KINDS[data]
    if not kind.is_graph:
        return (torch.randn(4, *INPUTS[data]),)
    nodes = torch.arange(12)
    ring = torch.stack([nodes, (nodes + 1) % 12])
    indices = {"edges": torch.cat([ring, ring.flip(0)], dim=1), "graph": nodes // 4, "pairs": ring}
    return (torch.rand(12, *INPUTS[data]), *(indices[name] for name in kind.indices))


@pytest.mark.heavy
@pytest.mark.parametrize("name", presets.names())
def test_the_baseline_of_every_preset_has_numbers(name: str) -> None:
    document = presets.load(name)
    data = document.get("data", "image")
    space = Space.parse(document, input_shape=INPUTS[data], classes=2 if data == "links" else 10)
    torch.manual_seed(0)
    found = measured(build(space.sample(replay(space.baseline()))), batch(data))
    documented = {"jacob_cov", "nwot"} if KINDS[data].is_graph else {"synflow"} if name == "capsule" else set()
    assert {proxy for proxy, value in found.items() if value is None} == documented
    assert all(math.isfinite(value) for value in found.values() if value is not None)
