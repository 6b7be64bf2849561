"""Plugins by entry point: what is installed is found, what is not says what to do."""

from pathlib import Path

import pytest

from space.blocks import BLOCKS
from space.blocks.base import Block
from space.registry import Registry


@pytest.fixture
def registry() -> Registry[Block]:
    """A registry that nobody else has asked anything."""
    from space import blocks

    return Registry(blocks, Block, "archsmith.blocks")  # type: ignore[type-abstract]


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, entry: str, source: str) -> None:
    """A distribution named acme as pip would leave it: a module and what its metadata say of it."""
    info = folder / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[archsmith.blocks]\n{entry}\n")
    (folder / "acme_blocks.py").write_text(source)
    monkeypatch.syspath_prepend(str(folder))


def test_what_is_built_in_has_a_file_of_its_own(registry: Registry[Block]) -> None:
    assert set(registry) == set(BLOCKS) >= {"conv", "residual"}
    assert all(registry[name].name == name for name in registry)


def test_what_is_not_installed_says_what_to_install(registry: Registry[Block]) -> None:
    assert "acme.gated" not in registry
    assert "pip install acme" in (registry.missing("acme.gated") or "")
    assert registry.missing("gated") is None


def test_what_cannot_be_imported_says_why(
    registry: Registry[Block], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "acme.gated = acme_blocks:Gated", "import a_package_that_nobody_has\n")
    assert "acme.gated" not in registry
    assert "a_package_that_nobody_has" in (registry.missing("acme.gated") or "")


def test_an_object_that_is_no_block_is_refused(
    registry: Registry[Block], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "acme.gated = acme_blocks:Gated", "class Gated:\n    pass\n")
    monkeypatch.delitem(__import__("sys").modules, "acme_blocks", raising=False)
    with pytest.raises(TypeError, match="must be a Block, got Gated"):
        registry["acme.gated"]
