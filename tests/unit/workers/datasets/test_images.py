"""Archives of pictures, good and bad; the process that reads them."""

import io
import json
import shutil
import stat
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from subprocess import run
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archsmith.errors import AlreadyExists, InvalidDataset
from tests.unit.workers.sources import (
    class_folders,
    labels,
    picture,
    pixels,
    rules,
    shared_data,
    write_npz,
    write_zip,
)
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.ingest import ingest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "store")


def read(store: DataStore, path: Path, **options: Any) -> DatasetInfo:
    return ingest("images", path, name="sample", store=store, **options)


def refused(store: DataStore, path: Path) -> pytest.ExceptionInfo[InvalidDataset]:
    with pytest.raises(InvalidDataset) as caught:
        read(store, path)
    assert store.names() == ["digits"]
    assert not list(store.root.iterdir())
    return caught


# --- good ones


def test_class_folders_below_folders_and_beside_other_things(tmp_path: Path, store: DataStore) -> None:
    members = {
        **class_folders(prefix="all/pets/"),
        "all/pets/README.md": b"ours",
        "all/pets/class0/notes.txt": b"ours",
        "all/pets/class0/.DS_Store": b"x",
        "all/pets/class1/Thumbs.db": b"x",
        "__MACOSX/all/pets/class0/._0.png": b"x",
        "all/pets/class9/": b"",
    }
    info = read(store, write_zip(tmp_path / "a.zip", members))
    assert info.class_names == ("class0", "class1")
    assert info.input_shape == (3, 9, 9)
    assert info.report["image_size"] == 9
    assert len(info.report["ignored_files"]) == 5
    assert info.report["warnings"] == ["folder all/pets/class9 holds no pictures"]


def test_the_archives_own_split_is_kept(tmp_path: Path, store: DataStore) -> None:
    members = {
        **class_folders(prefix="train/", each=10),
        **class_folders(prefix="valid/", each=3),
        **class_folders(prefix="test/", each=4),
    }
    info = read(store, write_zip(tmp_path / "a.zip", members), image_size=16)
    assert (info.train, info.val, info.test, info.input_shape) == (20, 6, 8, (3, 16, 16))
    assert info.parts == {"train": (0, 20), "val": (20, 26), "test": (26, 34)}


def test_every_accepted_kind_of_picture(tmp_path: Path, store: DataStore) -> None:
    sixteen = io.BytesIO()
    Image.fromarray(np.full((8, 8), 0x80FF, np.uint16)).save(sixteen, "PNG")
    members = {
        **class_folders(),
        "class0/a.jpg": picture(1, kind="JPEG"),
        "class0/b.webp": picture(2, kind="WEBP", lossless=True),
        "class0/c.bmp": picture(3, kind="BMP"),
        "class1/palette.png": picture(4, mode="P"),
        "class1/cmyk.jpeg": picture(5, mode="CMYK", kind="JPEG"),
        "class1/alpha.png": picture(6, mode="RGBA"),
        "class1/one_bit.png": picture(7, mode="1"),
        "class1/sixteen.PNG": sixteen.getvalue(),
    }
    info = read(store, write_zip(tmp_path / "a.zip", members), image_size=8)
    opened = store.open("sample", seed=0)
    assert sum(info.counts) == len(members)
    assert opened.x[-1].tolist() == np.full((3, 8, 8), 0x80).tolist()  # sixteen.PNG is the last by name


def test_grey_pictures_have_one_channel(tmp_path: Path, store: DataStore) -> None:
    assert read(store, write_zip(tmp_path / "a.zip", class_folders(mode="L"))).input_shape == (1, 9, 9)


def test_pictures_are_turned_upright_and_laid_on_white(tmp_path: Path, store: DataStore) -> None:
    half = Image.new("RGB", (16, 16), "black")
    half.paste("white", (0, 0, 16, 8))  # the upper half is white
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned, clear = io.BytesIO(), io.BytesIO()
    half.save(turned, "PNG", exif=exif)
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(clear, "PNG")
    members = {**class_folders(size=(16, 16)), "class1/y.png": turned.getvalue(), "class1/z.png": clear.getvalue()}
    read(store, write_zip(tmp_path / "a.zip", members))
    x = store.open("sample", seed=0).x
    assert (x[-2, 0, 2, 2], x[-2, 0, 13, 2]) == (0, 255)
    assert x[-1].min() == 255


def test_a_few_damaged_pictures_are_left_out_and_named(tmp_path: Path, store: DataStore) -> None:
    members = class_folders(each=100)
    members["class0/7.png"] = members["class0/7.png"][:150]
    members["class1/8.png"] = b""
    info = read(store, write_zip(tmp_path / "a.zip", members))
    assert info.report["corrupt_files"] == ["class0/7.png", "class1/8.png"]
    assert info.counts == (99, 99)


def test_real_photographs(tmp_path: Path, store: DataStore) -> None:
    with zipfile.ZipFile(shared_data("trashnet", "trashnet_half.zip")) as real:
        some = {name: real.read(name) for name in real.namelist()[::40] if not name.endswith("/")}
    info = read(store, write_zip(tmp_path / "trash.zip", some))
    assert info.class_names == ("cardboard", "glass", "metal", "paper", "plastic", "trash")
    assert info.input_shape == (3, 64, 64)


# --- bad ones


def huge_png(side: int) -> bytes:
    """A header that asks for side x side pixels of 1 bit, and no data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green")]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    return out.getvalue()


def text_bomb() -> bytes:
    """A PNG with a compressed text of 100 MB."""
    body = b"Comment\0\0" + zlib.compress(bytes(100 * 1024**2))
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    good = picture()
    return good[:33] + chunk + good[33:]


BAD_FILES = {
    "page": (".png", b"<html>", "image_unreadable"),
    "tiff": (".png", b"II*\0" + bytes(50), "image_unreadable"),
    "gif": (".gif", b"GIF89a", "image_unreadable"),
    "svg": (".svg", b"<svg/>", "image_format_unsupported"),
    "heic": (".jpg", b"\0\0\0\x18ftypheic" + bytes(50), "image_format_unsupported"),
    "program": (".exe", b"MZ", "file_not_image"),
    "empty": (".png", b"", "image_unreadable"),
    "torn": (".png", picture()[:150], "image_unreadable"),
    "text bomb": (".png", text_bomb(), "image_unreadable"),
    "30000 x 30000": (".png", huge_png(30_000), "image_too_large"),
    "9000 x 9000": (".png", huge_png(9_000), "image_too_large"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_each_file_at_fault_is_named(tmp_path: Path, store: DataStore, case: str) -> None:
    ending, content, rule = BAD_FILES[case]
    bad = {f"class0/bad{number}{ending}": content for number in range(3)}
    caught = refused(store, write_zip(tmp_path / "a.zip", {**class_folders(), **bad}))
    assert rules(caught) == {rule}
    for fault, name in zip(caught.value.faults, bad, strict=True):
        assert name in fault.detail
        assert fault.pointer == "/files/" + name.replace("/", "~1")


@pytest.mark.parametrize("case", BAD_FILES)
def test_two_files_at_fault_are_left_out_and_told(tmp_path: Path, store: DataStore, case: str) -> None:
    ending, content, rule = BAD_FILES[case]
    bad = [f"class0/bad{number}{ending}" for number in range(2)]
    info = read(store, write_zip(tmp_path / "a.zip", {**class_folders(), **dict.fromkeys(bad, content)}))
    where = "corrupt_files" if rule == "image_unreadable" else "ignored_files"
    assert info.report[where] == bad
    assert info.counts == (6, 6)
    assert [any(name in warning for warning in info.report["warnings"]) for name in bad] == [True, True]


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "GIF", "TIFF"])
def test_the_first_of_several_frames_is_read_and_told(tmp_path: Path, store: DataStore, kind: str) -> None:
    members = {**class_folders(size=(8, 8)), "class1/z.png": animated(kind)}
    info = read(store, write_zip(tmp_path / "a.zip", members))
    assert store.open("sample", seed=0).x[-1, :, 4, 4].tolist() == pytest.approx([255, 0, 0], abs=2)
    assert "several frames or pages" in info.report["warnings"][0]
    assert "class1/z.png" in info.report["warnings"][0]


def test_all_faults_are_reported_at_once(tmp_path: Path, store: DataStore) -> None:
    members = {**class_folders(), "class0/a.exe": b"MZ", "class1/b.svg": b"<svg/>", "class1/c.png": b""}
    caught = refused(store, write_zip(tmp_path / "a.zip", members))
    assert rules(caught) == {"file_not_image", "image_format_unsupported", "image_unreadable"}


@pytest.mark.parametrize(("name", "rule"), [
    ("a.zip", "archive_nested"),
    ("a.nii.gz", "format_mismatch"),
    ("a.dcm", "file_not_image"),
    ("a.pkl", "file_not_image"),
])  # fmt: skip
def test_files_of_other_formats_are_refused_with_what_to_do(
    tmp_path: Path, store: DataStore, name: str, rule: str
) -> None:
    caught = refused(store, write_zip(tmp_path / "a.zip", {**class_folders(), f"class0/{name}": b"PK"}))
    assert rules(caught) == {rule}


BAD_LAYOUTS = {
    "one class": (class_folders(classes=1), "too_few_classes"),
    "one class below": (class_folders(classes=1, prefix="data/"), "too_few_classes"),
    "at the root": ({"a.png": picture(), "b.png": picture(1)}, "layout_invalid"),
    "one at the root": ({**class_folders(), "a.png": picture()}, "layout_invalid"),
    "no training": ({**class_folders(prefix="test/"), **class_folders(prefix="val/")}, "layout_invalid"),
    "no pictures": ({"class0/a.txt": b"x", "class1/b.txt": b"y"}, "layout_invalid"),
    "nothing": ({}, "layout_invalid"),
    "two pictures": ({"a/1.png": picture(1), "b/2.png": picture(2)}, "too_few_samples"),
}


@pytest.mark.parametrize("case", BAD_LAYOUTS)
def test_bad_layouts(tmp_path: Path, store: DataStore, case: str) -> None:
    members, rule = BAD_LAYOUTS[case]
    assert rules(refused(store, write_zip(tmp_path / "a.zip", members))) == {rule}


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("../x.png", "path_unsafe"),
        ("/abs.png", "path_unsafe"),
        ("C:\\x.png", "path_unsafe"),
        ("C:x.png", "path_unsafe"),
        ("a/../../b.png", "path_unsafe"),
        ("a/\n.png", "path_invalid"),
        ("a/" + "x" * 256 + ".png", "path_invalid"),
        ("a/" * 300 + "b.png", "path_invalid"),
        ("class0\\..\\..\\x.png", "path_unsafe"),
    ],
)
def test_hostile_names(tmp_path: Path, store: DataStore, name: str, rule: str) -> None:
    members = {**class_folders(), name: picture()}
    assert rules(refused(store, write_zip(tmp_path / "a.zip", members))) == {rule}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices(tmp_path: Path, store: DataStore, kind: int) -> None:
    path = write_zip(tmp_path / "a.zip", class_folders())
    info = zipfile.ZipInfo("class0/link.png")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    assert rules(refused(store, path)) == {"member_type_unsupported"}


def patched(path: Path, signature: bytes, offset: int, value: bytes, *, last: bool = False) -> Path:
    """Overwrites bytes behind a record's signature."""
    content = bytearray(path.read_bytes())
    at = (content.rfind if last else content.find)(signature) + offset
    content[at : at + len(value)] = value
    path.write_bytes(content)
    return path


def test_damaged_and_lying_archives(tmp_path: Path, store: DataStore) -> None:
    def fresh() -> Path:
        return write_zip(tmp_path / "a.zip", class_folders())

    central, local, end = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"
    assert rules(refused(store, patched(fresh(), central, 8, b"\x01\x00"))) == {"archive_encrypted"}
    assert rules(refused(store, patched(fresh(), central, 10, b"\x63\x00"))) == {"compression_unsupported"}
    assert rules(refused(store, patched(fresh(), local, 30, b"Z"))) == {"archive_invalid"}, "names differ"
    info = read(store, patched(fresh(), central, 24, b"\x0a\0\0\0"))
    assert (info.report["corrupt_files"], info.counts) == (["class0/0.png"], (5, 6)), "size differs"
    shutil.rmtree(store.root)
    assert rules(refused(store, patched(fresh(), central, 42, b"\0\0\0\0", last=True))) == {"archive_invalid"}, (
        "overlap"
    )
    assert rules(refused(store, patched(fresh(), end, 12, b"\xff\xff\xff\x7f", last=True))) == {"too_many_files"}
    path = fresh()
    path.write_bytes(path.read_bytes()[:-400])
    assert rules(refused(store, path)) == {"archive_invalid"}, "cut off"


@pytest.mark.heavy
def test_an_archive_that_unpacks_to_too_much(tmp_path: Path, store: DataStore) -> None:
    members = {**class_folders(), **{f"class0/{i}.bmp": bytes(50 * 1024**2) for i in range(2)}}
    assert rules(refused(store, write_zip(tmp_path / "a.zip", members))) == {"expands_too_much"}


@pytest.mark.parametrize("size", [0, 3, 513, -1])
def test_image_size_has_bounds(tmp_path: Path, store: DataStore, size: int) -> None:
    with pytest.raises(InvalidDataset) as caught:
        read(store, write_zip(tmp_path / "a.zip", class_folders()), image_size=size)
    assert caught.value.faults[0].pointer == "/image_size"


# --- the process


def command(store: Path, *arguments: object) -> tuple[int, dict[str, Any]]:
    words = [sys.executable, "-m", "workers.datasets.ingest", "--store", str(store), *map(str, arguments)]
    done = run(words, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)
    assert done.stdout.count("\n") == 1, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.heavy
def test_one_line_of_json_for_good_and_bad(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", x=pixels(30, 4, 4), y=labels(30))
    arguments = ("--format", "npz", "--name", "sample", "--source", path)
    status, answer = command(tmp_path / "store", *arguments)
    assert (status, answer["ok"]) == (0, True)
    assert DatasetInfo.from_json(answer["info"]) == DataStore(tmp_path / "store").describe("sample")
    status, answer = command(tmp_path / "store", *arguments)
    assert (status, answer["ok"]) == (0, False)
    assert answer["faults"][0]["rule"] == "already_exists"


def test_unknown_format_and_more_files_than_one(tmp_path: Path, store: DataStore) -> None:
    path = write_zip(tmp_path / "a.zip", class_folders())
    for kind, sources, rule in (("wav", [path], "choice_unknown"), ("images", [path, path], "file_single")):
        with pytest.raises(InvalidDataset) as caught:
            ingest(kind, sources, name="sample", store=store)
        assert rules(caught) == {rule}
    with pytest.raises(AlreadyExists):
        ingest("images", path, name="digits", store=store)


MEASURED = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""
"""A process that starts others is small itself: what a fork of a large one held counts as its child's."""


@pytest.mark.heavy
def test_a_bomb_stays_within_memory(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", x=np.zeros((300_000, 32, 32), np.uint8), y=labels(300_000))
    words = [sys.executable, "-c", MEASURED, sys.executable, "-m", "workers.datasets.ingest", "--store"]
    words += [str(tmp_path / "store"), "--format", "npz", "--name", "a", "--source", str(path)]
    done = run(words, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)
    assert json.loads(done.stdout)["faults"][0]["rule"] == "expands_too_much"
    assert int(done.stderr.splitlines()[-1]) < 200 * 1024  # KiB; the arrays are 300 MB
