"""Crops, cut-outs and shifts of normalised batches."""

import pytest
import torch

from tests.unit.workers.train.test_rungs import data
from workers.train.augment import crop, cut_out
from workers.train.maps import Maps
from workers.train.recipe import Recipe

pytestmark = pytest.mark.heavy


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(200, 2, 10, 8), (200, 1, 6, 8, 10), (200, 2, 10)])
def test_a_crop_is_a_part_of_its_sample_enlarged(shape: tuple[int, ...]) -> None:
    ramp = torch.arange(shape[-1], dtype=torch.float32).expand(shape).contiguous()
    changed = torch.arange(shape[0]) % 2 == 0
    out = crop(ramp, changed, zoom=0.5, generator=generator())
    assert torch.allclose(out[~changed], ramp[~changed], atol=1e-4)
    slopes = torch.diff(out[changed][..., 1:-1], dim=-1)  # a share of the width in as many pixels
    assert slopes.min() > 0.49
    assert slopes.max() <= 1.0001
    assert slopes.flatten(1).mean(1).std() > 0.1
    assert out.min() >= -0.001
    assert out.max() <= shape[-1] - 0.999


@pytest.mark.parametrize("shape", [(300, 2, 10, 8), (300, 1, 6, 8, 10), (300, 2, 10)])
def test_a_cut_out_is_one_block_of_zeros(shape: tuple[int, ...]) -> None:
    changed = torch.arange(shape[0]) % 3 > 0
    out = cut_out(torch.ones(shape), changed, side=4, generator=generator())
    gone = (out == 0).flatten(1).sum(1)
    whole = shape[1] * 4 ** (len(shape) - 2)
    assert (gone[~changed] == 0).all()
    assert gone.max() == whole
    assert (gone[changed] >= whole // 2 ** (len(shape) - 2)).all()  # at a corner half of each side is outside
    assert (out[changed][:, :1] == 0).flatten(1).sum(1).float().mean() < whole / shape[1]


def test_what_is_skipped_changes_nothing_of_the_rest() -> None:
    for changes in ({"zoom": 0.3}, {"cutout": 0.4}, {"zoom": 0.2, "cutout": 0.3, "flip": True, "augment": 0.5}):
        values = Recipe(batch_size=8, min_steps=1, shift=1 / 8, layout="nhwc", **changes)  # type: ignore[arg-type]
        task = Maps(data(), values)
        whole = list(task.batches(generator()))
        rest = list(task.batches(generator(), skip=5))
        assert len(rest) == len(whole) - 5
        for one, other in zip(rest, whole[5:], strict=True):
            assert torch.equal(one.inputs[0], other.inputs[0])
            assert torch.equal(one.y, other.y)
            assert one.inputs[0].is_contiguous(memory_format=torch.channels_last)
