"""Pictures with mask files: which belong together, what values mean, and what is left out or refused."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archsmith.errors import InvalidDataset
from tests.unit.workers.sources import class_folders, picture, rules, write_zip
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.ingest import ingest
from workers.datasets.mask_pairs import find_pairs

COUNT = 10
SIZE = (12, 9)
COLOURS = {0: (0, 0, 0), 1: (255, 0, 0), 2: (0, 0, 255)}
Draw = Callable[[np.ndarray], Image.Image]


def values(number: int, classes: int = 2) -> np.ndarray:
    """(H, W) of classes, in blocks that scaling leaves alone."""
    return np.random.default_rng(number).integers(0, classes, (SIZE[1], SIZE[0])).astype(np.uint8)


def grey(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(mask)


def white(mask: np.ndarray) -> Image.Image:
    return Image.fromarray((mask * 255).astype(np.uint8))


def coloured(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(np.array(list(COLOURS.values()), dtype=np.uint8)[mask])


def paletted(mask: np.ndarray) -> Image.Image:
    image = Image.frombytes("P", SIZE, mask.tobytes())
    image.putpalette([channel for colour in COLOURS.values() for channel in colour])
    return image


def swapped(mask: np.ndarray) -> Image.Image:
    """The same colours as `paletted` at other places."""
    image = Image.frombytes("P", SIZE, np.array([2, 0, 1], dtype=np.uint8)[mask].tobytes())
    image.putpalette([*COLOURS[1], *COLOURS[2], *COLOURS[0]])
    return image


def file(image: Image.Image, kind: str = "PNG", **how: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def members(
    draw: Draw = grey, *, classes: int = 2, picture_at: str = "images/{}.png", mask_at: str = "masks/{}.png"
) -> dict[str, bytes]:
    pictures = {picture_at.format(f"p{n}"): picture(n, size=SIZE) for n in range(COUNT)}
    return pictures | {mask_at.format(f"p{n}"): file(draw(values(n, classes))) for n in range(COUNT)}


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "store")


def read(
    store: DataStore, folder: Path, files: dict[str, bytes], problem: str | None = None, name: str = "sample"
) -> DatasetInfo:
    path = write_zip(folder / f"{name}.zip", files)
    return ingest("images", path, name=name, store=store, problem=problem, image_size=9, image_fit="crop")


def stored(store: DataStore, name: str = "sample") -> np.ndarray:
    return np.asarray(store.open(name, seed=0).y)


MIDDLE = slice(1, 10)
"""Of 12 columns, what cropping to 9 leaves; the offset of 1.5 is rounded down."""


@pytest.mark.parametrize(("draw", "classes", "names"), [
    (grey, 2, ("0", "1")),
    (white, 2, ("0", "255")),
    (paletted, 3, ("0", "1", "2")),
    (coloured, 3, ("#000000", "#0000ff", "#ff0000")),
])  # fmt: skip
def test_kinds_of_masks(store: DataStore, tmp_path: Path, draw: Draw, classes: int, names: tuple[str, ...]) -> None:
    info = read(store, tmp_path, members(draw, classes=classes))
    assert (info.problem, info.tasks, info.class_names) == ("segmentation", ("segmentation",), names)
    order = [0, 2, 1] if draw is coloured else range(classes)
    wanted = np.stack([np.array(order)[values(n, classes)] for n in range(COUNT)])
    found = stored(store)
    assert found.shape == (COUNT, 9, 9)
    agreed = [(found == wanted[:, :, at : at + 9]).mean() for at in range(4)]
    assert max(agreed) == 1.0
    assert any("read as segmentation" in text for text in info.report["warnings"])
    assert any("classes of pixels are" in text for text in info.report["warnings"])


def test_masks_are_cut_as_their_pictures_are(store: DataStore, tmp_path: Path) -> None:
    shown = {f"images/{n}.png": file(Image.fromarray(values(n) * 255)) for n in range(COUNT)}
    masks = {f"masks/{n}.png": file(grey(values(n))) for n in range(COUNT)}
    path = write_zip(tmp_path / "a.zip", shown | masks)
    for fit in ("crop", "pad"):
        ingest("images", path, name=fit, store=store, image_size=12, image_fit=fit)
        opened = store.open(fit, seed=0)
        x, y = np.asarray(opened.x)[:, 0], np.asarray(opened.y)
        assert ((x > 127) == (y == 1))[y < 255].mean() > 0.95 if fit == "crop" else True
        if fit == "pad":  # 12 wide and 9 high: rows above and below
            assert set(np.unique(y[:, 0])) == {255}
            assert (x[y == 255] == 0).all()
            assert ((x > 127) == (y == 1))[y < 255].all()


LAYOUTS: dict[str, tuple[str, str, dict[str, tuple[int, int]]]] = {
    "labels": ("images/{}.png", "labels/{}.png", {"train": (0, 10)}),
    "a suffix": ("images/{}.png", "masks/{}_mask.png", {"train": (0, 10)}),
    "suffixes": ("images/{}_image.png", "annotations/{}_seg.png", {"train": (0, 10)}),
    "another ending": ("images/{}.png", "segmentations/{}.gif", {"train": (0, 10)}),
    "deeper": ("set/images/{}.png", "set/annotations/trimaps/{}.png", {"train": (0, 10)}),
    "a folder each": ("{}/images/a.png", "{}/masks/b.png", {"train": (0, 10)}),
    "words of satellites": ("train/{}_sat.png", "train/{}_mask.png", {"train": (0, 10)}),
    "one folder": ("{}.png", "{}_mask.png", {"train": (0, 10)}),
    "train beside annotations": ("train/{}.png", "trainannot/{}.png", {"train": (0, 10)}),
    "split first": ("train/images/{}.png", "train/masks/{}.png", {"train": (0, 10)}),
    "split last": ("images/train/{}.png", "masks/train/{}.png", {"train": (0, 10)}),
    "split within": ("train_images/{}.png", "train_masks/{}.png", {"train": (0, 10)}),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_where_masks_lie(store: DataStore, tmp_path: Path, case: str) -> None:
    picture_at, mask_at, parts = LAYOUTS[case]
    info = read(store, tmp_path, members(picture_at=picture_at, mask_at=mask_at))
    assert (info.problem, info.parts, info.report["corrupt_files"]) == ("segmentation", parts, [])


def test_splits_and_a_part_without_masks(store: DataStore, tmp_path: Path) -> None:
    files = members(picture_at="train/images/{}.png", mask_at="train/masks/{}.png")
    files |= members(picture_at="val/images/{}.png", mask_at="val/masks/{}.png")
    files |= {f"test/images/q{n}.png": picture(50 + n, size=SIZE) for n in range(4)}
    info = read(store, tmp_path, files)
    assert info.parts == {"train": (0, 10), "val": (10, 20)}
    assert any("4 pictures of parts without any mask are left out" in text for text in info.report["warnings"])


def test_pairs_of_class_folders_are_doubtful(store: DataStore, tmp_path: Path) -> None:
    files = {f"{kind}/{n}.png": picture(10 * n + len(kind), size=SIZE) for kind in ("ill", "well") for n in range(6)}
    files |= {name.replace(".png", "_mask.png"): file(white(values(number))) for number, name in enumerate(files)}
    with pytest.raises(InvalidDataset, match="--problem segmentation reads the masks"):
        read(store, tmp_path, files)
    assert read(store, tmp_path, files, "segmentation", "masks").report["samples"] == 12
    info = read(store, tmp_path, files, "classification", "classes")
    assert (info.class_names, info.counts) == (("ill", "well"), (6, 6))
    assert any("12 masks beside the pictures are left out" in text for text in info.report["warnings"])


def test_folders_of_which_one_may_hold_masks_are_doubtful(store: DataStore, tmp_path: Path) -> None:
    files = members(white, picture_at="ISIC_Training_Input/{}.png", mask_at="ISIC_GroundTruth/{}_segmentation.png")
    with pytest.raises(InvalidDataset, match="--problem segmentation reads masks"):
        read(store, tmp_path, files)
    assert read(store, tmp_path, files, "segmentation", "masks").report["samples"] == COUNT
    assert read(store, tmp_path, files, "classification", "classes").counts == (COUNT, COUNT)


def test_instances_in_masks_of_their_own_are_named(store: DataStore, tmp_path: Path) -> None:
    files = {f"set/{n}/images/{n}.png": picture(n, size=SIZE) for n in range(4)}
    files |= {f"set/{n}/masks/m{k}.png": file(white(values(9 * n + k))) for n in range(4) for k in range(3)}
    with pytest.raises(InvalidDataset, match="--problem segmentation"):
        read(store, tmp_path, files)
    with pytest.raises(InvalidDataset, match="has 3 masks"):
        read(store, tmp_path, files, "segmentation")


def test_class_folders_with_words_of_masks_are_classes() -> None:
    paths = [(folder, f"{n}.png") for folder in ("with_mask", "without_mask") for n in range(4)]
    assert find_pairs(paths, asked=False) is None
    assert find_pairs([tuple(name.split("/")) for name in class_folders()], asked=False) is None


def test_palettes_that_differ_are_read_by_colour(store: DataStore, tmp_path: Path) -> None:
    files = members(paletted, classes=3)
    for n in range(5):
        files[f"masks/p{n}.png"] = file(swapped(values(n, 3)))
    info = read(store, tmp_path, files)
    assert info.class_names == ("#000000", "#0000ff", "#ff0000")
    by_place = read(store, tmp_path, members(paletted, classes=3), name="alike")
    assert by_place.class_names == ("0", "1", "2")
    assert (np.array([0, 2, 1])[stored(store, "alike")] == stored(store)).all()


def test_names_of_classes_beside_the_masks(store: DataStore, tmp_path: Path) -> None:
    rows = ["name,r,g,b", "ground,0,0,0", "road,255,0,0", "water,0,0,255"]
    info = read(store, tmp_path, {**members(coloured, classes=3), "class_dict.csv": "\n".join(rows).encode()})
    assert info.class_names == ("ground", "water", "road")
    info = read(store, tmp_path, {**members(), "classes.txt": b"ground\nroad\n"}, name="listed")
    assert info.class_names == ("ground", "road")
    info = read(store, tmp_path, {**members(), "labelmap.txt": b"ground:0,0,0::\nroad:1,1,1::\n"}, name="unlike")
    assert info.class_names == ("0", "1")


def test_pixels_that_are_not_judged(store: DataStore, tmp_path: Path) -> None:
    void = {f"masks/p{n}.png": file(grey(np.where(values(n, 4) == 3, 255, values(n, 4)))) for n in range(COUNT)}
    info = read(store, tmp_path, members() | void)
    assert info.class_names == ("0", "1", "2")
    assert (stored(store) == 255).any()
    assert info.check is not None
    assert 0.1 < info.check["answers"]["not_judged"] < 0.4


def jpeg(number: int) -> bytes:
    return file(white(values(number)), "JPEG", quality=70)


def smoothed(number: int) -> bytes:
    mask = np.repeat([0, 255], 54).reshape(SIZE[::-1]).astype(np.uint8)
    mask[number % 9, :6] = [20, 60, 100, 150, 190, 230]
    return file(grey(mask))


FAULTS: dict[str, tuple[Callable[[int], bytes | None], str]] = {
    "missing": (lambda n: None, "has no mask of its name"),
    "JPEG": (jpeg, "is a JPEG"),
    "another size": (lambda n: file(grey(values(n)[:5])), "12×5 pixels, its picture 12×9"),
    "damaged": (lambda n: file(grey(values(n)))[:50], "is damaged"),
    "transparent": (lambda n: file(Image.new("RGBA", SIZE, (9, 9, 9, 9))), "transparent pixels"),
    "of smooth edges": (smoothed, "edges were smoothed"),
}


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize("count", [2, 5])
def test_few_faults_are_left_out_and_many_refused(store: DataStore, tmp_path: Path, case: str, count: int) -> None:
    content, text = FAULTS[case]
    files: dict[str, bytes] = members(white)
    for n in range(count):
        made = content(n)
        del files[f"masks/p{n}.png"]
        files |= {} if made is None else {f"masks/p{n}.png": made}
    if count == 2:
        info = read(store, tmp_path, files)
        assert info.report["samples"] == COUNT - 2
        assert sum(text in warning for warning in info.report["warnings"]) == 2
        return
    with pytest.raises(InvalidDataset) as caught:
        read(store, tmp_path, files)
    [fault] = caught.value.faults
    assert fault.detail.startswith("5 files, as ")
    assert text in fault.detail


REFUSED: dict[str, tuple[dict[str, bytes], str | None, str]] = {
    "names apart": ({f"images/{n}.png": picture(n) for n in range(4)} | {
        f"masks/m{n}.png": file(grey(values(n))) for n in range(4)}, "segmentation", "layout_invalid"),
    "no masks at all": (class_folders(), "segmentation", "problem_unsuitable"),
    "photographs as masks": ({f"images/{n}.png": picture(n, size=(60, 60)) for n in range(4)} | {
        f"masks/{n}.png": picture(n + 9, size=(60, 60)) for n in range(4)}, None, "mask_blurred"),
    "only a test part": (members(picture_at="test/images/{}.png", mask_at="test/masks/{}.png"), None, "layout_invalid"),
    "grey beside colours of a palette": (
        members(grey) | {f"masks/p{n}.png": file(paletted(values(n, 3))) for n in range(5)}, None, "mask_invalid"),
    "one class": ({**members(), **{f"masks/p{n}.png": file(grey(values(n) * 0)) for n in range(COUNT)}}, None,
                  "too_few_classes"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_masks_that_are_refused(store: DataStore, tmp_path: Path, case: str) -> None:
    files, problem, rule = REFUSED[case]
    with pytest.raises(InvalidDataset) as caught:
        read(store, tmp_path, files, problem)
    assert rules(caught) == {rule}


def test_several_masks_of_one_picture_are_named(store: DataStore, tmp_path: Path) -> None:
    files = members(mask_at="masks/{}_mask.png")
    files |= {f"masks/p{n}_mask_1.png": file(grey(values(n))) for n in range(5)}
    with pytest.raises(InvalidDataset, match="has 2 masks"):
        read(store, tmp_path, files)


@pytest.mark.parametrize("turned_too", [True, False])
def test_a_mask_is_turned_as_its_picture_is(store: DataStore, tmp_path: Path, turned_too: bool) -> None:
    """A photograph that its EXIF tag turns, with a mask drawn on it as stored, or as it is shown."""
    exif = Image.Exif()
    exif[0x0112] = 6
    files: dict[str, bytes] = {}
    for n in range(COUNT):
        shown = Image.fromarray(values(n) * 255).rotate(-90, expand=True)
        files[f"images/{n}.png"] = file(Image.fromarray(values(n) * 255), exif=exif)
        mask = np.asarray(shown) // 255 if turned_too else values(n)
        files[f"masks/{n}.png"] = file(grey(mask.astype(np.uint8)))
    ingest("images", write_zip(tmp_path / "a.zip", files), name="a", store=store, image_size=12, image_fit="pad")
    opened = store.open("a", seed=0)
    x, y = np.asarray(opened.x)[:, 0], np.asarray(opened.y)
    assert ((x > 127) == (y == 1))[y < 255].all()
