"""The code of docs/adding-a-block-or-operation.md: each file of it is one that could be added as it stands."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from space.blocks import BLOCKS
from space.operations import OPERATIONS
from space.space import Space
from tests.conformance.operations import CHECKS, Check, together
from tests.exactness import check_code, check_costs, check_onnx, check_texts, check_training_step, fresh
from tests.spaces import sample

pytestmark = pytest.mark.heavy

PAGE = (Path(__file__).parents[3] / "docs" / "adding-a-block-or-operation.md").read_text(encoding="utf-8")
FILES: dict[str, str] = dict(re.findall(r"`(space/\w+/\w+\.py)`:\n\n```python\n(.*?)```", PAGE, flags=re.DOTALL))
TOML = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)


def load(path: str, folder: Path) -> ModuleType:
    """The file of the page, written to disk: generated code reads the source of layers."""
    file = folder / Path(path).name
    file.write_text(FILES[path], encoding="utf-8")
    spec = spec_from_file_location(f"docs_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


def thing(module: ModuleType) -> Any:
    """An instance of the one class that the file defines."""
    [kind] = [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__]
    return kind()


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Everything of the page, registered as if its files lay where the page says; the names of its operations."""
    folder = tmp_path_factory.mktemp("added")
    things = {path: thing(load(path, folder)) for path in FILES}
    with pytest.MonkeyPatch.context() as patch:
        for path, instance in things.items():
            registry = OPERATIONS if "/operations/" in path else BLOCKS
            assert instance.name == Path(path).stem
            assert instance.name not in registry
            patch.setitem(registry._known, instance.name, instance)
        yield [instance.name for path, instance in things.items() if "/operations/" in path]


def test_the_page_shows_each_kind_once() -> None:
    assert [path.split("/")[1] for path in FILES] == ["operations", "operations", "operations", "blocks"]
    assert len(TOML) == 1
    assert PAGE.count("```python") == len(FILES)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_its_operations_keep_the_contract(check: Check, added: list[str]) -> None:
    for name in added:
        assert OPERATIONS[name].examples
        for example in OPERATIONS[name].examples:
            check(OPERATIONS[name], example)


@pytest.mark.slow
def test_its_operations_run_in_onnx_runtime(added: list[str]) -> None:
    for architecture in together(
        (OPERATIONS[name], example) for name in added for example in OPERATIONS[name].examples
    ):
        check_onnx(architecture, fresh(architecture, 0))


@pytest.mark.parametrize("shape", [(3, 12, 10), (1, 8, 6, 8)])
def test_its_block_is_a_choice_like_any_other(shape: tuple[int, ...], added: list[str]) -> None:
    stage = {"operation": ["convnext", "conv"], "kernel": [3, 5], "expansion": [2, 4], "width": 8, "stride": [1, 2]}
    space = Space.parse({"schema": 1, "stages": [stage, stage]}, input_shape=shape, classes=3)
    networks = {network.hash: network for network in (sample(space, seed) for seed in range(12))}
    assert any(node.name.endswith("blocks.0.depthwise") for network in networks.values() for node in network.nodes)
    for number, architecture in enumerate(networks.values()):
        module = fresh(architecture, number)
        check_costs(architecture, module)
        check_texts(architecture)
        check_training_step(architecture, module)
        check_code(architecture, module)
    check_onnx(architecture, module)


def test_its_files_pass_the_gate(tmp_path: Path) -> None:
    """In folders of the same names: some rules of pyproject.toml are for these folders only."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    root = Path(__file__).parents[3]
    config = ["--config", str(root / "pyproject.toml"), "--config", f'src=["{root}"]', "--no-cache", "."]
    for command in (["check", "--ignore", "INP"], ["format", "--diff"]):
        ruff = [sys.executable, "-m", "ruff", *command, *config]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stdout
