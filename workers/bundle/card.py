"""`model_card.md`: what the model is, on what data and by which protocol it was measured, what it cost, how to use it.

After Mitchell et al. 2019, "Model Cards for Model Reporting". What the service cannot know (licence, intended use) has
its field all the same, for the owner to fill in.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

from space.analysis import analyse
from space.architecture import Architecture
from workers.bundle.manifest import TOLERANCES, Manifest
from workers.conventions import SCORES
from workers.templates import environment

FILES: Mapping[str, str] = {
    "model.py": "the architecture as code, with `build`, `load`, `predict`",
    "weights.safetensors": "its trained weights",
    "model.onnx": "the same for any ONNX runtime, float32, the batch open; gives logits within {tolerance:g}",
    "model.pt2": "the same for `torch.export.load`, the batch open; gives logits within {tolerance:g}",
    "example.safetensors": "drawn inputs, as in the data set, and the `logits` that each form must give for them",
    "labels.json": "what the columns of the output are called",
    "bundle.json": "how inputs are prepared, for programs",
    "architecture.json": "the graph, for machines",
    "architecture.svg": "and for people",
    "report.json": "how it was found, what else was tried, what it cost",
    "report.html": "the same, for people",
    "compressed/": "the smaller model, and how it is loaded",
    "requirements.txt": "what `model.py` needs",
    "SHA256SUMS": "`sha256sum -c SHA256SUMS` checks that all is whole",
}
OPTIONAL = {"model.onnx", "model.pt2", "example.safetensors", "report.html", "compressed/"}


def card(
    architecture: Architecture, manifest: Manifest, report: Mapping[str, Any], *, code: str, files: Iterable[str]
) -> str:
    """The card of a bundle. code: its `model.py`. files: names of those that may be absent."""
    return (
        environment(__package__)
        .get_template("card.md.jinja")
        .render(
            architecture=architecture,
            costs=analyse(architecture),
            manifest=manifest,
            report=report,
            scores=SCORES,
            needs="torch and torch_geometric" if "torch_geometric" in code else "torch, nothing else",
            files=list(_files({*FILES} - OPTIONAL | {_shown(name) for name in files})),
        )
    )


def requirements(code: str) -> str:
    """What `model.py` needs, at least as new as what it was checked with."""
    packages = {"torch": "torch"} | ({"torch-geometric": "torch_geometric"} if "torch_geometric" in code else {})
    return "".join(f"{name}>={version(package).partition('+')[0]}\n" for name, package in packages.items())


def _files(names: set[str]) -> Iterator[tuple[str, str]]:
    for name, what in FILES.items():
        if name in names:
            yield name, what.format(tolerance=TOLERANCES.get(name))


def _shown(name: str) -> str:
    """A file by its name, one that lies deeper by its folder."""
    folder, slash, _ = name.partition("/")
    return folder + slash
