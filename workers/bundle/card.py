"""`model_card.md`: the model, its data and scores with their protocol, the cost of the search, and how to use it.

After Mitchell et al. 2019, "Model Cards for Model Reporting". Fields that the service cannot know (licence, intended
use) are there for the owner to fill in.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

from space.analysis import analyse
from space.architecture import Architecture
from workers.bundle.manifest import TOLERANCES, Manifest
from workers.conventions import ERRORS, SCORES
from workers.simple.record import NAMES
from workers.templates import environment
from workers.wording import SAMPLES, WORDING, counted

FILES: Mapping[str, str] = {
    "model.py": "the architecture as code, with `build`, `load`, `predict`",
    "weights.safetensors": "its trained weights",
    "model.onnx": "the model for any ONNX runtime: float32, variable batch size; outputs agree within {tolerance:g}",
    "model.pt2": "the model for `torch.export.load`: variable batch size; outputs agree within {tolerance:g}",
    "example.safetensors": "random inputs, and the outputs (`logits`) that every form of the model must give for them",
    "labels.json": "the names of the output columns",
    "bundle.json": "preprocessing, meaning of the outputs and tolerances, for programs",
    "architecture.json": "the architecture graph",
    "architecture.svg": "the same as a picture",
    "report.json": "how the model was found, what else was tried, what it cost",
    "report.html": "the same as a page to read",
    "compressed/": "the smaller model and its loader",
    "requirements.txt": "the packages that `model.py` needs",
    "SHA256SUMS": "checksums of all other files, for `sha256sum -c SHA256SUMS`",
}
OPTIONAL = {"model.onnx", "model.pt2", "example.safetensors", "report.json", "report.html", "compressed/"}


def card(
    architecture: Architecture, manifest: Manifest, report: Mapping[str, Any], *, code: str, files: Iterable[str]
) -> str:
    """The card of a bundle. code: its `model.py`. files: the names of the optional files that it has."""
    return (
        environment(__package__)
        .get_template("card.md.jinja")
        .render(
            architecture=architecture,
            costs=analyse(architecture),
            manifest=manifest,
            report=report,
            scores=SCORES,
            errors=ERRORS,
            words=WORDING[manifest.problem],
            samples=SAMPLES.get(architecture.data, architecture.data),
            columns=counted(manifest.problem, architecture.classes),
            simple_names=NAMES,
            needs="torch and torch_geometric" if "torch_geometric" in code else "torch alone",
            files=list(_files({*FILES} - OPTIONAL | {_shown(name) for name in files})),
        )
    )


def requirements(code: str) -> str:
    """The packages that `model.py` needs, at least as new as those it was checked with."""
    packages = {"torch": "torch"} | ({"torch-geometric": "torch_geometric"} if "torch_geometric" in code else {})
    return "".join(f"{name}>={version(package).partition('+')[0]}\n" for name, package in packages.items())


def _files(names: set[str]) -> Iterator[tuple[str, str]]:
    for name, what in FILES.items():
        if name in names:
            yield name, what.format(tolerance=TOLERANCES.get(name))


def _shown(name: str) -> str:
    """The name of a file, or of the folder that it is in."""
    folder, slash, _ = name.partition("/")
    return folder + slash
