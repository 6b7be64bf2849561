"""Opens a bundle where torch is the only package: `python -I torch_only.py FOLDER`. A program, not a module to import.

Every top-level import is refused but the standard library's, torch's own and those of the distributions that torch
declares as its dependencies. What the bundle needs beyond that shows as an ImportError, although all of archsmith's
packages are installed. Prints JSON: the number of parameters, the input's and the output's shape.
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


def allowed_imports() -> set[str]:
    """Top-level names that a machine with torch alone can import."""
    distributions = _closure("torch")
    own = {
        top
        for top, owners in importlib.metadata.packages_distributions().items()
        if any(_normal(owner) in distributions for owner in owners)
    }
    return own | set(sys.stdlib_module_names) | {"model"}


class TorchOnly:
    """A finder at the head of `sys.meta_path` that turns away every other top-level name."""

    def __init__(self) -> None:
        self.allowed = allowed_imports()

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002
        if name.partition(".")[0] not in self.allowed:
            raise ModuleNotFoundError(f"No module named {name!r} (torch is the only package here)", name=name)
        return None


def main(folder: Path) -> None:
    """Build the model, load its weights and run a batch of two through it."""
    sys.meta_path.insert(0, TorchOnly())
    sys.path.insert(0, str(folder))
    import torch

    network = importlib.import_module("model").load(str(folder / "weights.safetensors"))
    architecture = json.loads((folder / "architecture.json").read_text())
    shape = [2, *architecture["input_shape"]]
    with torch.inference_mode():
        logits = network(torch.zeros(shape))
    if list(logits.shape) != [2, architecture["classes"]]:
        raise SystemExit(f"two samples gave logits of shape {tuple(logits.shape)}")
    if not torch.isfinite(logits).all():
        raise SystemExit("two samples gave logits that are not finite")
    parameters = sum(parameter.numel() for parameter in network.parameters())
    json.dump({"parameters": parameters, "input": shape, "output": list(logits.shape)}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
