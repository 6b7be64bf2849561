"""Blocks and operations of installed packages: found by name, used like any other, asked for where they are missing."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from archsmith.errors import InvalidArchitecture, InvalidSpace
from space.architecture import Architecture, GraphBuilder
from space.blocks import BLOCKS
from space.codegen.writer import generate
from space.operations import OPERATIONS
from space.space import Space
from tests.conformance.operations import CHECKS
from tests.exactness import check_code, check_costs, check_onnx, check_texts, check_training_step, fresh
from tests.oracle import batch_of, load_generated
from tests.spaces import sample
from tests.unit.space.test_docs_adding import FILES, TOML

DOCUMENT = {"schema": 1, "stages": [{"operation": ["acme.convnext", "conv"], "kernel": 3, "expansion": 2, "width": 8}]}


def install(folder: Path) -> None:
    """The distribution of the page, as pip would lay it down: the package, and its metadata with the entry points."""
    layers, blocks = (
        FILES[path].replace(f'name = "{word}"', f'name = "acme.{word}"')
        for path, word in (("space/operations/layer_scale.py", "layer_scale"), ("space/blocks/convnext.py", "convnext"))
    )
    last = "        return residual_join("
    scale = f'        x = g.add(f"{{place}}.scale", "acme.layer_scale", {{}}, x)\n{last}'
    assert last in blocks
    (folder / "acme").mkdir()
    for name, text in (("__init__", ""), ("layers", layers), ("blocks", blocks.replace(last, scale))):
        (folder / "acme" / f"{name}.py").write_text(text, encoding="utf-8")
    info = folder / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    groups = re.findall(r'entry-points\."(\S+)"\]\n((?:".*\n?)+)', TOML[0])
    assert [group for group, _ in groups] == ["archsmith.operations", "archsmith.blocks"]
    lines = [line for group, entries in groups for line in (f"[{group}]", *entries.replace('"', "").splitlines())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The plugin is installed; afterwards nothing remembers it."""
    install(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    forget()


def forget() -> None:
    for registry in (OPERATIONS, BLOCKS):
        for name in [name for name in registry._known if name.startswith("acme.")]:
            del registry._known[name]
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme"]:
        del sys.modules[name]


def network() -> Architecture:
    space = Space.parse(DOCUMENT, input_shape=(3, 8, 8), classes=3)
    drawn = [sample(space, seed) for seed in range(8)]
    return next(network for network in drawn if any(node.op == "acme.layer_scale" for node in network.nodes))


@pytest.mark.heavy
@pytest.mark.usefixtures("acme")
def test_a_plugin_is_used_like_anything_else() -> None:
    architecture = network()
    module = fresh(architecture, 0)
    check_costs(architecture, module)
    check_texts(architecture)
    check_training_step(architecture, module)
    check_code(architecture, module)
    check_onnx(architecture, module)


@pytest.mark.usefixtures("acme")
def test_a_plugin_can_be_checked_against_the_contract() -> None:
    operation = OPERATIONS["acme.layer_scale"]
    for check in CHECKS:
        check(operation, operation.examples[0])
    assert "acme.layer_scale" not in list(OPERATIONS)


def test_generated_code_and_weights_outlive_the_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        install(tmp_path)
        patch.syspath_prepend(tmp_path)
        architecture = network()
        module = fresh(architecture, 0).eval()
        code, inputs = generate(architecture), batch_of("image", (3, 8, 8))
        expected = module(*inputs)
    forget()
    assert "class LayerScale(nn.Module):" in code
    assert "acme" not in code.partition("class ")[0]
    written = load_generated(code, {"torch"}).eval()
    written.load_state_dict(module.state_dict(), strict=True)
    torch.testing.assert_close(written(*inputs), expected)


def test_a_missing_plugin_is_asked_for_by_its_name() -> None:
    with pytest.raises(InvalidSpace) as caught:
        Space.parse(DOCUMENT, input_shape=(3, 8, 8), classes=3)
    [fault] = caught.value.faults
    assert (fault.pointer, fault.rule) == ("/stages/0/operation/0", "plugin_missing")
    assert "pip install acme" in fault.detail
    g = GraphBuilder((3, 8, 8), 3)
    with pytest.raises(InvalidArchitecture, match=r"unknown operation 'acme\.layer_scale'.*pip install acme"):
        g.add("scale", "acme.layer_scale", {}, g.input)
