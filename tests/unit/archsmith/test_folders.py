"""Folders given to the command are sent as one archive."""

import zipfile
from pathlib import Path

from archsmith import formats
from archsmith.folders import packed


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def test_a_folder_becomes_one_archive_without_hidden_files_and_links(tmp_path: Path) -> None:
    folder = tree(tmp_path / "pets", "cat/1.png", "dog/2.png", ".git/config", "cat/.hidden")
    (folder / "dog" / "link.png").symlink_to(folder / "cat" / "1.png")
    with packed([folder]) as files:
        (archive,) = files
        assert archive.name == "pets.zip"
        with zipfile.ZipFile(archive) as opened:
            assert opened.namelist() == ["pets/cat/1.png", "pets/dog/2.png"]
            assert opened.read("pets/cat/1.png") == b"cat/1.png"
    assert not archive.exists()


def test_several_folders_are_one_archive_and_files_stay(tmp_path: Path) -> None:
    cat, dog = tree(tmp_path / "cat", "1.png"), tree(tmp_path / "dog", "1.png")
    plain = tree(tmp_path, "labels.csv") / "labels.csv"
    with packed([cat, plain, dog]) as files:
        assert files[0] == plain
        with zipfile.ZipFile(files[1]) as opened:
            assert opened.namelist() == ["cat/1.png", "dog/1.png"]
    with packed([plain]) as files:
        assert files == [plain]


def test_the_format_of_folders_and_tar_archives(tmp_path: Path) -> None:
    pets = tree(tmp_path / "pets", "cat/1.png")
    assert formats.guess([pets]) == "images"
    assert formats.guess([pets, pets]) == "images"
    assert formats.guess([tree(tmp_path / "mnist", "train-images-idx3-ubyte.gz")]) == "idx"
    assert formats.guess([tree(tmp_path / "tu", "DS_graph_indicator.txt")]) == "tu"
    assert formats.guess([tmp_path / "photos.tar.gz"]) == "images"
