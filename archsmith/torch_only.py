"""Opens a bundle where torch is the only package: `python -I torch_only.py FOLDER`. A program, not a module to import.

No top-level name is found but the standard library's, torch's own and those of the distributions that torch
declares as its dependencies; of torch_geometric's too where the model imports it. What the bundle needs beyond that
shows as an ImportError, although all of archsmith's packages are installed. Prints JSON: the number of parameters, the
input's and the output's shape.
"""

import importlib
import importlib.metadata
import json
import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _closure(root: str) -> set[str]:
    """The distributions that `root` needs, itself included, as far as they are installed here."""
    found: set[str] = set()
    queue = [root]
    while queue:
        name = _normal(queue.pop())
        if name in found:
            continue
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add(name)
        queue += [match[0] for need in needs if "extra ==" not in need and (match := re.match(r"[\w.-]+", need))]
    return found


def allowed_imports(packages: Sequence[str]) -> set[str]:
    """Top-level names that a machine with these packages alone can import."""
    distributions = {name for package in packages for name in _closure(package)}
    own = {
        top
        for top, owners in importlib.metadata.packages_distributions().items()
        if any(_normal(owner) in distributions for owner in owners)
    }
    return own | set(sys.stdlib_module_names) | {"model"}


class Sieve:
    """One of `sys.meta_path`'s finders that finds no other top-level names than these.

    Nothing is raised: torch and torch_geometric ask for a few packages by `find_spec` before they do without.
    """

    def __init__(self, finder: Any, allowed: set[str]) -> None:
        self._finder, self._allowed = finder, allowed

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        top = name.partition(".")[0]
        if top not in self._allowed and not top.startswith("_sysconfigdata_"):  # of the standard library
            return None
        found: ModuleSpec | None = self._finder.find_spec(name, path, target)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


def packages_of(folder: Path) -> tuple[str, ...]:
    """What a bundle's README says that it needs."""
    graph_layers = "torch_geometric" in (folder / "model.py").read_text()
    return ("torch", "torch_geometric") if graph_layers else ("torch",)


def sample(architecture: dict[str, Any]) -> tuple[list[Any], int]:
    """What the network is called with, all zeros, and how many rows of logits that gives."""
    import torch

    data, shape = architecture.get("data", "image"), architecture["input_shape"]
    if data in ("image", "volume"):
        return [torch.zeros([2, *shape])], 2
    x, edges = torch.zeros([4, *shape]), torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
    if data == "nodes":
        return [x, edges], 4
    if data == "graphs":
        return [x, edges, torch.tensor([0, 0, 1, 1])], 2
    return [x, edges, torch.tensor([[0, 1, 0], [1, 2, 3]])], 3


def main(folder: Path) -> None:
    """Build the model, load its weights and run a very small batch through it."""
    allowed = allowed_imports(packages_of(folder))
    sys.meta_path[:] = [Sieve(finder, allowed) for finder in sys.meta_path]
    sys.path.insert(0, str(folder))
    import torch

    network = importlib.import_module("model").load(str(folder / "weights.safetensors"))
    architecture = json.loads((folder / "architecture.json").read_text())
    inputs, rows = sample(architecture)
    with torch.inference_mode():
        logits = network(*inputs)
    if list(logits.shape) != [rows, architecture["classes"]]:
        raise SystemExit(f"{rows} samples gave logits of shape {tuple(logits.shape)}")
    if not torch.isfinite(logits).all():
        raise SystemExit(f"{rows} samples gave logits that are not finite")
    parameters = sum(parameter.numel() for parameter in network.parameters())
    shape = list(inputs[0].shape)
    json.dump({"parameters": parameters, "input": shape, "output": list(logits.shape)}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
