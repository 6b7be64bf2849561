"""Depths, shapes and scales of pictures, in the data set and for `predict`."""

import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archsmith.errors import InvalidDataset
from tests.unit.workers.sources import class_folders, picture, rules, write_zip
from workers.bundle import inputs
from workers.bundle.manifest import Manifest, Preprocessing
from workers.datasets import DatasetInfo, DataStore, pixels
from workers.datasets.archive_names import guess
from workers.datasets.ingest import ingest


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "store")


def read(store: DataStore, path: Path, **options: Any) -> DatasetInfo:
    return ingest("images", path, name="sample", store=store, **options)


def levels(seed: int, channels: int = 1, *, low: int = 0, high: int = 4096, side: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (side, side, channels)).astype(np.uint16)


def png16(values: np.ndarray) -> bytes:
    """(H, W, C), 16 bits a channel, C 1, 3 or 4: Pillow writes greys only."""
    height, width, channels = values.shape
    rows = values.astype(">u2").reshape(height, -1)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def tiff(values: np.ndarray, **how: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(values).save(out, "TIFF", **how)
    return out.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
def test_levels_of_16_bits_are_kept(tmp_path: Path, store: DataStore, channels: int) -> None:
    given = [levels(number, channels) for number in range(12)]
    members = {f"class{n // 6}/{n:02}.png": png16(values) for n, values in enumerate(given)}
    info = read(store, write_zip(tmp_path / "a.zip", members))
    assert (info.dtype, info.input_shape) == ("float32", (channels, 8, 8))
    x = store.open("sample", seed=0).x
    np.testing.assert_array_equal(x, np.stack([np.moveaxis(values, 2, 0) for values in given]))


def test_opaque_alpha_changes_no_level() -> None:
    values = levels(0, 4)
    values[..., 3] = 65535
    np.testing.assert_array_equal(pixels.deep(png16(values), "a.png", side=None, fit="auto"), values[..., :3])


def test_tiffs_of_floats_and_of_16_bits_keep_their_levels(tmp_path: Path, store: DataStore) -> None:
    members = {f"class{n // 6}/{n}.tif": tiff(levels(n)[..., 0], compression="tiff_lzw") for n in range(12)}
    read(store, write_zip(tmp_path / "a.zip", members))
    np.testing.assert_array_equal(store.open("sample", seed=0).x[0, 0], levels(0)[..., 0])
    floats = np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)
    np.testing.assert_array_equal(pixels.deep(tiff(floats), "a.tif", side=None, fit="auto")[..., 0], floats)


def test_scaling_stays_within_the_levels() -> None:
    values = np.where(np.indices((40, 40)).sum(0) % 2, 4000, 1000).astype(np.uint16)[..., None]
    found = pixels.deep(png16(values), "a.png", side=16, fit="auto")
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 4000


def test_values_that_are_not_finite_are_damage(tmp_path: Path, store: DataStore) -> None:
    members = {f"class{n // 6}/{n}.tif": tiff(levels(n)[..., 0].astype(np.float32)) for n in range(12)}
    members["class0/bad.tif"] = tiff(np.full((8, 8), np.nan, np.float32))
    info = read(store, write_zip(tmp_path / "a.zip", members))
    assert (info.counts, info.report["ignored_files"]) == ((6, 6), ["class0/bad.tif"])


def test_12_bits_beside_8_are_refused_and_16_keep_their_upper_8(tmp_path: Path, store: DataStore) -> None:
    members = {**class_folders(size=(8, 8)), "class0/deep.png": png16(levels(0))}
    with pytest.raises(InvalidDataset) as caught:
        read(store, write_zip(tmp_path / "a.zip", members))
    assert rules(caught) == {"depths_mixed"}
    members["class0/deep.png"] = png16(levels(0, high=65536))
    info = read(store, write_zip(tmp_path / "b.zip", members))
    assert (info.dtype, info.counts) == ("uint8", (7, 6))
    assert "keep their upper 8 bits, as class0/deep.png" in info.report["warnings"][0]


def bar(width: int, height: int) -> bytes:
    """The left or upper half white, the other black."""
    values = np.zeros((height, width, 3), np.uint8)
    values[: height // 2 if height > width else height, : width // 2 if width > height else width] = 255
    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(("fit", "size", "shown"), [
    ("auto", (80, 20), "padded"), ("auto", (40, 20), "cropped"), ("pad", (40, 20), "padded"),
    ("crop", (80, 20), "cropped"), ("auto", (600, 2), "padded"),
])  # fmt: skip
def test_how_pictures_become_squares(
    tmp_path: Path, store: DataStore, fit: str, size: tuple[int, int], shown: str
) -> None:
    members = {**class_folders(size=(20, 20)), "class1/z.png": bar(*size)}
    info = read(store, write_zip(tmp_path / "a.zip", members), image_size=16, image_fit=fit)
    x = store.open("sample", seed=0).x[-1, 0]
    assert x[0].max() == (0 if shown == "padded" else 255)
    assert x[7:9, 1].max() > 100
    assert x[7:9, -2].max() == 0
    assert (info.report["image_size"], info.report["image_fit"]) == (16, fit)
    told = [text for text in info.report["warnings"] if "class1/z.png" in text]
    assert len(told) == (max(size) > 3 * min(size))


@pytest.mark.parametrize("options", [{}, {"image_fit": "pad"}, {"image_fit": "crop"}])
@pytest.mark.parametrize("deep", [False, True])
def test_predict_reads_a_file_as_the_data_set_did(
    tmp_path: Path, store: DataStore, deep: bool, options: dict[str, str]
) -> None:
    def made(number: int) -> bytes:
        wide = number % 4 == 3
        if deep:
            return png16(levels(number, side=24)[: 4 if wide else 24])
        return picture(number, size=(40, 9) if wide else (12, 9))

    members = {f"class{n // 6}/{n:02}.png": made(n) for n in range(12)}
    read(store, write_zip(tmp_path / "a.zip", members), image_size=8, **options)
    opened = store.open("sample", seed=0)
    manifest = Manifest(
        data="image",
        input_shape=opened.info.input_shape,
        classes=2,
        architecture="",
        preprocessing=Preprocessing.of(opened),
    )
    manifest = Manifest.from_json(manifest.to_json(), list(opened.class_names))
    for row, content in enumerate(members.values()):
        path = tmp_path / f"file{row}"  # known by its content
        path.write_bytes(content)
        given = inputs.read(path, manifest)
        np.testing.assert_array_equal(given.arrays["x"][0], opened.x[row])
        assert not given.remark


def test_predict_refuses_another_depth(tmp_path: Path) -> None:
    for name, content, deep in (("a.png", picture(), True), ("b.png", png16(levels(0)), False)):
        (tmp_path / name).write_bytes(content)
        manifest = Manifest(
            data="image", input_shape=(1, 8, 8), classes=2, architecture="",
            preprocessing=Preprocessing(
                mean=(0,), std=(1,), dtype="float32" if deep else "uint8", labels=("a", "b"), pictures="auto"),
        )  # fmt: skip
        with pytest.raises(InvalidDataset) as caught:
            inputs.read(tmp_path / name, manifest)
        assert rules(caught) == {"image_depth_unsupported"}


# --- archives, folders and names


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_tar_archives_are_read_as_zip_archives_are(tmp_path: Path, store: DataStore, mode: Any) -> None:
    members = class_folders(prefix="./pets/")
    path = tmp_path / "a.tar"
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    by_tar = read(store, path)
    by_zip = ingest("images", write_zip(tmp_path / "a.zip", members), name="zipped", store=store)
    assert by_tar.sha256 == by_zip.sha256


def test_folders_are_read_as_archives_are_and_links_are_not_followed(tmp_path: Path, store: DataStore) -> None:
    members = class_folders()
    for name, content in members.items():
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "secret.png").write_bytes(picture(99))
    (tmp_path / "pets" / "class0" / "link.png").symlink_to(tmp_path / "secret.png")
    by_folder = read(store, tmp_path / "pets")
    by_zip = ingest("images", write_zip(tmp_path / "a.zip", members), name="zipped", store=store)
    assert (by_folder.counts, by_folder.sha256) == ((6, 6), by_zip.sha256)


@pytest.mark.parametrize(("name", "kind", "rule"), [
    ("../x.png", tarfile.REGTYPE, "path_unsafe"),
    ("/x.png", tarfile.REGTYPE, "path_unsafe"),
    ("a\\..\\..\\x.png", tarfile.REGTYPE, "path_unsafe"),
    ("link.png", tarfile.SYMTYPE, "member_type_unsupported"),
    ("hard.png", tarfile.LNKTYPE, "member_type_unsupported"),
    ("device.png", tarfile.CHRTYPE, "member_type_unsupported"),
    ("a\n.png", tarfile.REGTYPE, "path_invalid"),
    ("a/" * 40 + "x.png", tarfile.REGTYPE, "path_invalid"),
])  # fmt: skip
def test_hostile_tar_archives(tmp_path: Path, store: DataStore, name: str, kind: bytes, rule: str) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info, io.BytesIO(b""))
    with pytest.raises(InvalidDataset) as caught:
        read(store, path)
    assert rules(caught) == {rule}


def test_a_torn_tar_archive(tmp_path: Path, store: DataStore) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in class_folders(each=20).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(InvalidDataset) as caught:
        read(store, path)
    assert rules(caught) == {"archive_invalid"}


@pytest.mark.parametrize("hidden", [
    ".ipynb_checkpoints", ".git", "@eaDir", "__MACOSX", ".Trash", "$RECYCLE.BIN", "__pycache__",
])  # fmt: skip
def test_hidden_folders_are_never_classes(tmp_path: Path, store: DataStore, hidden: str) -> None:
    members = {**class_folders(), f"{hidden}/0.png": picture(8), f"class0/{hidden}/0.png": picture(9)}
    info = read(store, write_zip(tmp_path / "a.zip", members))
    assert (info.class_names, info.counts) == (("class0", "class1"), (6, 6))
    assert sorted(info.report["ignored_files"]) == sorted([f"{hidden}/0.png", f"class0/{hidden}/0.png"])


def test_names_with_spaces_around_and_in_two_forms_are_one_class(tmp_path: Path, store: DataStore) -> None:
    names = ["M\u00fcller", "Mu\u0308ller", " M\u00fcller ", "dog"]
    members = {f"{name}/{n}.png": picture(10 * k + n) for k, name in enumerate(names) for n in range(4)}
    info = read(store, write_zip(tmp_path / "a.zip", members))
    assert (info.class_names, info.counts) == (("M\u00fcller", "dog"), (12, 4))


@pytest.mark.parametrize(("words", "page"), [
    (["猫犬", "小鸟"], "gbk"), (["健康", "疾病"], "gbk"), (["猫", "犬"], "cp932"), (["ネコ", "イヌ"], "cp932"),
    (["Müller", "Straße"], "cp1252"), (["Müller", "Straße"], "cp437"), (["garçon", "élève"], "cp437"),
    (["кот", "пёс"], "cp866"), (["Кошка", "Собака"], "cp1251"), (["Müller", "犬"], "utf-8"),
])  # fmt: skip
def test_code_pages_of_names(words: list[str], page: str) -> None:
    raw = [f"{word}/1.png".encode(page) for word in words]
    assert guess(raw) == page


def test_utf_8_names_without_the_flag_need_no_warning(tmp_path: Path, store: DataStore) -> None:
    members = {name.replace("class0", "Müller"): content for name, content in class_folders().items()}
    path = write_zip(tmp_path / "a.zip", members)
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = content.find(signature)
        while at >= 0:
            content[at + offset : at + offset + 2] = b"\0\0"
            at = content.find(signature, at + 4)
    path.write_bytes(content)
    assert zipfile.ZipFile(path).namelist()[0] == "M├╝ller/0.png"
    info = read(store, path)
    assert (info.class_names, info.report["warnings"]) == (("Müller", "class1"), [])


@pytest.mark.parametrize(("beside", "content"), [
    ("images/p0.txt", b"0 0.5 0.5 0.2 0.2\n"),
    ("images/p0.xml", b"<annotation><object><bndbox>"),
    ("data.yaml", b"nc: 2\nnames: [a, b]"),
    ("annotations/instances_train.json", b'{"images": [], "annotations": [{"bbox": [1, 2, 3, 4]}]}'),
])  # fmt: skip
def test_detection_data_are_refused_and_named(tmp_path: Path, store: DataStore, beside: str, content: bytes) -> None:
    members = {f"images/p{number}.png": picture(number) for number in range(8)}
    with pytest.raises(InvalidDataset) as caught:
        read(store, write_zip(tmp_path / "a.zip", {**members, beside: content}))
    assert rules(caught) == {"task_unsupported"}
    assert "object detection" in caught.value.faults[0].detail
    assert caught.value.faults[0].pointer == "/files/" + beside.replace("/", "~1")
