"""Opens a bundle where torch is the only package: `python -I torch_only.py FOLDER`. A program, not a module to import.

Only the standard library, torch and the distributions that torch declares as dependencies can be imported, and those
of torch_geometric where the model imports it. Anything else that the bundle needs raises an ImportError, although all
of archsmith's packages are installed. Prints JSON: the number of parameters, and
how far the logits of `model.py` and `model.pt2`, and what `predict` gives, are from the stored ones.

This runs the bundle's own code.
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
    """What a bundle's requirements.txt says that it needs, by the names of the modules."""
    lines = (folder / "requirements.txt").read_text().splitlines()
    return tuple(re.split(r"[^\w-]", line)[0].replace("-", "_") for line in lines if line.strip())


def differences(model: Any, folder: Path) -> dict[str, float]:
    """How far what each form gives for the stored example is from the stored logits: |a - b| / (1 + |b|) at most.

    Of `predict`, how far it is from what the stored logits mean.

    Nothing where the bundle has no example; the weights are loaded all the same.
    """
    import torch

    network = model.load(str(folder / "weights.safetensors"))
    if not (folder / "example.safetensors").is_file():
        return {}
    stored = model.read_safetensors(str(folder / "example.safetensors"))
    logits = stored.pop("logits")
    x, indices = stored["x"], [stored[name] for name in ("edges", "graph", "pairs") if name in stored]
    forms = {"model.py": network}
    if (folder / "model.pt2").is_file():
        forms["model.pt2"] = torch.export.load(folder / "model.pt2").module()
    with torch.inference_mode():
        found = {name: form(model.prepared(x), *indices) for name, form in forms.items()}
    found["predict"] = model.predict(network, *called_with(x, stored))
    answers, unit = meant(logits, json.loads((folder / "bundle.json").read_text()))
    apart = {name: _apart(given, logits, 1 + logits.abs()) for name, given in found.items() if name != "predict"}
    return {**apart, "predict": _apart(found["predict"], answers, unit)}


def meant(logits: Any, manifest: Any) -> tuple[Any, Any]:
    """What `predict` must make of the network's outputs, and the size of a difference that counts as 1 there.

    manifest: `bundle.json`. In regression small outputs stand for the mean of a target, however large its unit is.
    """
    problem = manifest.get("problem", "classification")
    if problem == "regression":
        mean, std = (logits.new_tensor(manifest[name]) for name in ("target_mean", "target_std"))
        values = logits * std + mean
        return values, values.abs() + std * (1 + logits.abs())
    answers = logits.sigmoid() if problem == "multilabel" else logits.softmax(dim=1)
    return answers, 1 + answers.abs()


def called_with(x: Any, stored: dict[str, Any]) -> list[Any]:
    """The arguments of `predict` for the stored example: of many graphs it takes a list of (x, edges)."""
    if "graph" not in stored:
        return [x, *(stored[name] for name in ("edges", "pairs") if name in stored)]
    edges, owner = stored["edges"], stored["graph"]
    graphs = []
    for number in owner.unique().tolist():
        nodes = owner == number
        graphs.append((x[nodes], edges[:, nodes[edges[0]]] - int(nodes.nonzero()[0])))
    return [graphs]


def _apart(found: Any, expected: Any, unit: Any) -> float:
    if found.shape != expected.shape:
        raise SystemExit(f"logits of shape {tuple(found.shape)}, those stored have {tuple(expected.shape)}")
    if not found.isfinite().all():
        raise SystemExit("logits that are not finite")
    return float(((found - expected).abs() / unit).max())


def main(folder: Path) -> None:
    """Build the model, load its weights, and compare what it gives with what is stored."""
    allowed = allowed_imports(packages_of(folder))
    sys.meta_path[:] = [Sieve(finder, allowed) for finder in sys.meta_path]
    sys.path.insert(0, str(folder))
    import torch

    torch.set_num_threads(1)
    model = importlib.import_module("model")
    parameters = sum(parameter.numel() for parameter in model.build().parameters())
    answer = {"parameters": parameters, "differences": differences(model, folder)}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
