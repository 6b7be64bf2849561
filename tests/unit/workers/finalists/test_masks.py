"""What is told of masks on the test split: figures as scikit-learn has them, and pictures that can be looked at."""

import base64
import io
from html import unescape
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import jaccard_score, recall_score

from tests.masks import NAMES, shapes
from workers.datasets import Split
from workers.datasets.drawn import PALETTE, mask_png, picture_png
from workers.datasets.strata import UNKNOWN
from workers.finalists.answered import OnTest, answered
from workers.palette import colour, css
from workers.report.schema import schema
from workers.templates import environment


def opened(png: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(png)))


def told() -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    x, y = shapes(12, 16, seed=0)
    rng = np.random.default_rng(1)
    found = np.where(rng.random(y.shape) < 0.8, np.where(y == UNKNOWN, 0, y), rng.integers(0, 3, y.shape))
    made = answered("segmentation", OnTest(outputs=found.astype(np.uint8), y=y, split=Split(x=x, y=y)))
    assert made is not None
    return made, found, y


def test_figures_of_each_class() -> None:
    made, found, y = told()
    judged = y != UNKNOWN
    true, given = y[judged], found[judged]
    assert (made["samples"], made["pixels"]) == (12, int(judged.sum()))
    assert [row["iou"] for row in made["classes"]] == pytest.approx(jaccard_score(true, given, average=None))
    assert [row["recall"] for row in made["classes"]] == pytest.approx(recall_score(true, given, average=None))
    assert [row["pixels"] for row in made["classes"]] == np.bincount(true).tolist()
    assert made["classes"][3]["pictures"] == sum((mask == 3).any() for mask in y)


def test_a_class_that_is_nowhere_has_no_figures() -> None:
    x, y = np.zeros((1, 1, 4, 4), np.uint8), np.full((1, 4, 4), 2, np.uint8)
    made = answered("segmentation", OnTest(outputs=np.zeros_like(y), y=y, split=Split(x=x, y=y)))
    assert made is not None
    assert [(row["iou"], row["recall"]) for row in made["classes"]] == [(0.0, None), (None, None), (0.0, 0.0)]


def test_examples_go_from_the_worst_to_the_best() -> None:
    made, found, y = told()
    examples = made["examples"]
    rights = [example["right"] for example in examples]
    assert len(examples) == 6
    assert rights == sorted(rights)
    each = [(found[row] == y[row])[y[row] != UNKNOWN].mean() for row in range(12)]
    assert (rights[0], rights[-1]) == (pytest.approx(min(each)), pytest.approx(max(each)))
    for example in examples:
        assert np.array_equal(np.asarray(opened(example["answer"])), found[example["row"]])
        assert np.array_equal(np.asarray(opened(example["truth"])), y[example["row"]])
        assert opened(example["picture"]).size == (16, 16)


def test_large_pictures_are_shown_small() -> None:
    y = np.zeros((1, 300, 200), np.uint8)
    x = np.linspace(-1, 1, 300 * 200, dtype=np.float32).reshape(1, 1, 300, 200)
    made = answered("segmentation", OnTest(outputs=y, y=y, split=Split(x=x, y=y)))
    assert made is not None
    assert opened(made["examples"][0]["picture"]).size == (67, 100)


def test_a_png_of_a_mask_holds_the_numbers_and_known_colours() -> None:
    mask = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.open(io.BytesIO(mask_png(mask)))
    assert image.mode == "P"
    assert np.array_equal(np.asarray(image), mask)
    assert image.getpalette() == PALETTE
    # the first ones, and the last, of the PASCAL VOC devkit
    assert [colour(number) for number in (0, 1, 2, 8, 15, 255)] == [
        (0, 0, 0), (128, 0, 0), (0, 128, 0), (64, 0, 0), (192, 128, 128), (224, 224, 192),
    ]  # fmt: skip
    assert css(15) == "#c08080"


def test_pictures_of_any_channels_can_be_shown() -> None:
    for channels, mode in ((1, "L"), (3, "RGB"), (5, "L")):
        x = np.full((channels, 2, 3), 2.0, np.float32)
        image = Image.open(io.BytesIO(picture_png(x, 0.0, 4.0)))
        assert (image.mode, image.size) == (mode, (3, 2))
        assert np.asarray(image).ravel()[0] == 128


def test_the_section_fits_the_schema_and_renders() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    made, _, _ = told()
    section = {"problem": "segmentation", "seed": 0, "columns": list(NAMES), **made}
    [own] = [one for one in schema()["properties"]["answers"]["anyOf"]
             if one.get("properties", {}).get("problem", {}).get("const") == "segmentation"]  # fmt: skip
    jsonschema.validate(section, own)
    template = environment("workers.report").get_template("answers/segmentation.html.jinja")
    page = unescape(template.render(answers=section, plots={}, heads=lambda *_: ""))
    assert page.count("data:image/png;base64,") == 18
    assert "fill: #800000" in page
    assert all(name in page for name in NAMES)
