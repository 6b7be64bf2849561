"""The words for norms: what each takes its statistics over, on pictures, volumes and single pixels; what it costs."""

import pytest
import torch
from torch import Tensor, nn

from space.analysis import analyse
from space.architecture import Architecture, GraphBuilder
from space.blocks.base import normalise
from space.build import build
from space.document.fields import NORMS

MAPS = [(8, 6, 5), (8, 4, 3, 5)]


def network(shape: tuple[int, ...], norm: str) -> Architecture:
    """The norm alone, its values as logits."""
    g = GraphBuilder(shape, int(torch.tensor(shape).prod()))
    x = normalise(g, "norm", g.input, norm)
    return g.finish(g.add("flat", "flatten", {}, x))


def normed(shape: tuple[int, ...], norm: str, batch: int = 4) -> tuple[Tensor, nn.Module]:
    """What comes out of it in training, in the input's shape, for values far from normal."""
    torch.manual_seed(0)
    module = build(network(shape, norm)).train()
    x = 3 * torch.randn(batch, *shape) + torch.arange(batch * shape[0]).reshape(batch, shape[0], *[1] * len(shape[1:]))
    return module(x).reshape(batch, *shape), module


def spread(y: Tensor, axes: tuple[int, ...]) -> tuple[float, float]:
    """The mean that is furthest from 0 and the variance that is furthest from 1."""
    mean, variance = y.detach().mean(dim=axes), y.detach().var(dim=axes, unbiased=False)
    return float(mean.abs().max()), float((variance - 1).abs().max())


@pytest.mark.parametrize("shape", MAPS)
@pytest.mark.parametrize(
    ("norm", "over"), [("batch", "batch and sides"), ("layer", "channels and sides"), ("instance", "sides")]
)
def test_each_word_takes_statistics_over_its_own_axes(shape: tuple[int, ...], norm: str, over: str) -> None:
    y, _ = normed(shape, norm)
    sides = tuple(range(2, y.dim()))
    axes = {"batch and sides": (0, *sides), "channels and sides": (1, *sides), "sides": sides}
    assert spread(y, axes[over]) == (pytest.approx(0, abs=1e-5), pytest.approx(0, abs=1e-3))  # type: ignore[comparison-overlap]
    for other, its in axes.items():  # instance makes the others' statistics normal as well
        if other != over and norm != "instance":
            assert max(spread(y, its)) > 0.05


@pytest.mark.parametrize("shape", MAPS)
def test_group_is_between_layer_and_instance(shape: tuple[int, ...]) -> None:
    y, _ = normed(shape, "group")
    sides = tuple(range(2, 1 + y.dim()))
    assert spread(y.reshape(4, 2, 4, *shape[1:]), sides) == (pytest.approx(0, abs=1e-5), pytest.approx(0, abs=1e-3))  # type: ignore[comparison-overlap]
    assert max(spread(y, tuple(range(2, y.dim())))) > 0.05


@pytest.mark.parametrize("shape", [*MAPS, (8, 1, 1), (8, 1, 1, 1), (3, 2, 2), (1, 4, 4)])
@pytest.mark.parametrize("norm", NORMS)
def test_a_norm_has_two_weights_for_each_channel(shape: tuple[int, ...], norm: str) -> None:
    architecture = network(shape, norm)
    expected = 0 if norm == "none" else 2 * shape[0]
    assert analyse(architecture).params == expected
    assert sum(p.numel() for p in build(architecture).parameters()) == expected
    assert analyse(architecture).macs == 0


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 1, 1), (2, 1, 1), (3, 1, 1, 1), (1, 2, 2)])
def test_no_word_turns_few_values_into_nonsense(norm: str, shape: tuple[int, ...]) -> None:
    """A single value has no spread: it would be 0 whatever it was. Only the batch's norm has others beside it."""
    y, module = normed(shape, norm)
    assert y.isfinite().all()
    alone = torch.Size(shape).numel() == 1
    ops = [type(layer).__name__ for layer in module.modules() if "Norm" in type(layer).__name__]
    assert len(ops) == int(norm != "none" and not (alone and norm != "batch"))
    assert float(y.detach().std()) > 0.1
    if ops:
        y.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


def test_instance_is_layer_on_a_single_pixel() -> None:
    """There a channel is one value, so channels are compared with each other instead."""
    assert network((8, 1, 1), "instance").hash == network((8, 1, 1), "layer").hash
    assert network((8, 2, 1), "instance").hash != network((8, 2, 1), "layer").hash


@pytest.mark.parametrize("norm", ["layer", "instance", "group"])
def test_only_the_batch_norm_needs_a_batch(norm: str) -> None:
    """One sample in training: torch's batch norm refuses a single pixel of it, the others do not look beyond it."""
    y, module = normed((8, 1, 1), norm, batch=1)
    assert y.isfinite().all()
    torch.testing.assert_close(module.eval()(torch.ones(1, 8, 1, 1)), module.train()(torch.ones(1, 8, 1, 1)))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        normed((8, 1, 1), "batch", batch=1)


@pytest.mark.parametrize("shape", MAPS)
@pytest.mark.parametrize("norm", ["layer", "instance", "group"])
def test_training_may_begin_with_a_norm_of_channels_last(norm: str, shape: tuple[int, ...]) -> None:
    """Torch's own group norm ends the process there."""
    layout = torch.channels_last if len(shape) == 3 else torch.channels_last_3d
    module = build(network(shape, norm))
    x = torch.randn(2, *shape)
    module(x).square().sum().backward()
    wanted = [p.grad.clone() for p in module.parameters() if p.grad is not None]
    module.zero_grad()
    module(x.contiguous(memory_format=layout)).square().sum().backward()
    torch.testing.assert_close([p.grad for p in module.parameters()], wanted)
