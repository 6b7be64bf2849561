"""A mask moves with its picture and is not judged where nothing is known; scores count pixels of all pictures."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, jaccard_score
from torch import nn

from search.planning.rule import most_masks
from tests.masks import shapes
from workers.datasets import Split
from workers.train.augment import crop
from workers.train.data import TrainData
from workers.train.masks import Masks, crop_masks
from workers.train.mirror import NEARER, mask_test
from workers.train.of_pixels import NOT_JUDGED, mean_iou, mean_iou_shares, pixel_accuracy, pixel_accuracy_shares
from workers.train.recipe import Recipe
from workers.train.trainer import Trainer


def data(y: np.ndarray, *, val: bool = False) -> TrainData:
    """Pictures whose single channel is the mask itself, so that one shows what became of the other."""
    split = Split(x=y[:, None].copy(), y=y)
    return TrainData.on(
        "cpu", train=split, val=split if val else None, mean=(0.0,), std=(1.0,), task="segmentation",
        problem="segmentation",
    )  # fmt: skip


def numbers(count: int = 12, side: int = 10) -> np.ndarray:
    """Masks in blocks of 5 pixels, so that a picture between two pixels says which class the mask has there."""
    blocks = np.random.default_rng(0).integers(0, 4, (count, side // 5, side // 5), dtype=np.uint8)
    return blocks.repeat(5, 1).repeat(5, 2)


@pytest.mark.parametrize("changes", [{"shift": 0.3}, {"flip": True, "shift": 0.2}])
def test_shifted_and_mirrored_masks_are_those_of_the_picture(changes: dict[str, float | bool]) -> None:
    task = Masks(data(numbers()), Recipe(batch_size=4, min_steps=1, **changes))  # type: ignore[arg-type]
    hidden = 0
    for batch in task.batches(torch.Generator().manual_seed(1)):
        x, judged = batch.inputs[0].squeeze(1), batch.y != NOT_JUDGED
        assert torch.equal(x[judged], batch.y[judged].float())
        hidden += int((~judged).sum())
    assert hidden > 0, "what a shift brings in is not judged"


def test_crops_show_the_nearest_pixel_and_cut_outs_hide_it() -> None:
    task = Masks(data(1 + numbers()), Recipe(batch_size=4, min_steps=1, shift=0.0, zoom=0.5, cutout=0.3))
    for batch in task.batches(torch.Generator().manual_seed(1)):
        x, judged = batch.inputs[0].squeeze(1), batch.y != NOT_JUDGED
        assert torch.equal(judged, x != 0), "a cut-out is 0 in the picture"
        whole = (x == x.round()) & judged
        assert whole.float().mean() > 0.5
        assert torch.equal(x[whole], batch.y[whole].float())


def test_a_crop_of_a_mask_is_that_of_its_picture() -> None:
    masks = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).expand(5, 1, 8, 8)
    changed = torch.tensor([True, True, False, True, True])
    found = crop_masks(masks, changed, zoom=0.6, generator=torch.Generator().manual_seed(3))
    smooth = crop(masks.float(), changed, zoom=0.6, generator=torch.Generator().manual_seed(3))
    assert torch.equal(found[2], masks[2])
    rows, columns = (found // 8).float(), (found % 8).float()
    assert ((smooth - rows * 8 - columns).abs() <= 0.5 * 8 + 0.5 + 1e-4).all()


def test_scores_count_the_pixels_of_all_pictures_as_scikit_learn_does() -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 4, (6, 5, 7), generator=generator, dtype=torch.uint8)
    y[torch.rand(y.shape, generator=generator) < 0.2] = NOT_JUDGED
    logits = torch.randn(6, 4, 5, 7, generator=generator)
    found, judged = logits.argmax(1), y != NOT_JUDGED
    true, given = y[judged].numpy(), found[judged].numpy()
    assert mean_iou(logits, y) == pytest.approx(jaccard_score(true, given, average="macro"))
    assert pixel_accuracy(logits, y) == pytest.approx(accuracy_score(true, given))
    assert mean_iou(found.to(torch.uint8), y) == mean_iou(logits, y), "the classes are enough"


@pytest.mark.parametrize(
    ("score", "shares"), [(mean_iou, mean_iou_shares), (pixel_accuracy, pixel_accuracy_shares)], ids=["iou", "accuracy"]
)
def test_a_pictures_share_is_the_derivative_by_its_weight(score: object, shares: object) -> None:
    """By repeating all pictures often and one of them once more; and near the jackknife that leaves one out."""
    assert callable(score)
    assert callable(shares)
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 3, (8, 6, 6), generator=generator, dtype=torch.uint8)
    found = torch.where(torch.rand(y.shape, generator=generator) < 0.6, y, torch.zeros_like(y))
    whole, share, times = score(found, y), shares(found, y), 400
    assert float(share.mean()) == pytest.approx(whole)
    many, of_many = found.repeat(times, 1, 1), y.repeat(times, 1, 1)
    left_out = []
    for row in range(8):
        more = score(torch.cat([many, found[row : row + 1]]), torch.cat([of_many, y[row : row + 1]]))
        # one part in 8 · times more weight of one picture moves the score by (share - score) / (8 · times)
        assert (more - whole) * (8 * times + 1) == pytest.approx(float(share[row]) - whole, abs=2e-3)
        rest = [other for other in range(8) if other != row]
        left_out.append(8 * whole - 7 * score(found[rest], y[rest]))
    spread = torch.tensor(left_out, dtype=torch.float64).std()
    assert float(share.std()) == pytest.approx(float(spread), rel=0.25)


def test_a_network_of_pixels_is_trained_and_scored() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = shapes(24, 16, seed=0)
    split = Split(x=x, y=y)
    given = TrainData.on(
        "cpu", train=split, val=split, mean=(120.0,) * 3, std=(50.0,) * 3, task="segmentation", problem="segmentation"
    )
    module = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
    trainer = Trainer(module, given, Recipe(epochs=6, batch_size=8, min_steps=1, loss="dice", label_smoothing=0.0))
    scores = [trainer.epoch().score for _ in range(6)]
    score, beside, shares = trainer.final_outcome(split)
    assert score == scores[-1] > scores[0]
    assert set(beside) == {"mean_iou", "pixel_accuracy"}
    assert shares is not None
    assert shares.shape == (24,)
    assert float(shares.mean()) == pytest.approx(score, abs=1e-5)


def test_logits_of_many_classes_are_made_for_fewer_pictures_at_a_time() -> None:
    few, many = numbers(8), numbers(8)
    many[0, 0, 0] = 199
    sizes = []
    for masks in (few, many):
        given = data(masks)
        task = Masks(given, Recipe(batch_size=4, min_steps=1))
        sizes.append(len(next(iter(task.whole(given.train, pixels=800))).y))
    assert sizes == [8, 2]


def test_masks_are_mirrored_where_pictures_come_from_either_side_and_classes_do_not_depend_on_it() -> None:
    x, y = shapes(300, 16, seed=2, edge=False)
    assert mask_test(x[:240], y[:240], x[240:], y[240:]).helps
    upright = x.copy()
    upright[..., :8] = upright[..., :8] // 4  # darker on the left: no picture looks like a mirrored one
    assert mask_test(upright[:240], y[:240], upright[240:], y[240:]).nearer < NEARER
    sides = np.where(np.arange(16) < 8, 1, 2) * np.ones((300, 16, 1), np.uint8)  # left and right are classes
    assert not mask_test(x[:240], sides[:240], x[240:], sides[240:]).helps


def test_batches_of_large_pictures_are_smaller() -> None:
    assert [most_masks((3, side, side)) for side in (64, 256, 512, 4096)] == [512, 32, 8, 2]
