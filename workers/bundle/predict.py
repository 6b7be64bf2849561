"""`archsmith predict`: classifies files with nothing but a bundle. `python -m workers.bundle.predict BUNDLE FILE...`

It runs `model.onnx` in ONNX Runtime, with the preprocessing that `bundle.json` describes in numbers, so no code of the
bundle runs, whoever made it. (`model.py` is code, and torch evaluates expressions of a `model.pt2` it loads.)
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archsmith.errors import Fault, InvalidBundle, InvalidInput
from space.third_party import ExportFailure
from workers.bundle.exports import ONNX, network_inputs, run_onnx
from workers.bundle.given import Given
from workers.bundle.inputs import read_files
from workers.bundle.manifest import Array
from workers.bundle.opened import Opened, open_bundle
from workers.bundle.originals import groups

BROKEN, WRONG = 1, 2
BATCH = 256
TOP = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The probabilities of one row by class, the most probable first. what: names the row."""

    what: str
    classes: dict[str, float]

    def line(self, top: int) -> str:
        return f"{self.what}: " + ", ".join(f"{name} {p:.4f}" for name, p in list(self.classes.items())[:top])


def answers(opened: Opened, given: Given) -> Iterator[Answer]:
    """The answers in the order of the rows. Raises InvalidBundle where the bundle's ONNX model is missing or fails."""
    labels = opened.manifest.preprocessing.labels
    for what, row in zip(given.rows, probabilities(opened, given), strict=True):
        order = np.argsort(-row, kind="stable")
        yield Answer(what=what, classes={labels[i]: float(row[i]) for i in order})


def probabilities(opened: Opened, given: Given) -> Array:
    """The class probabilities, (rows, classes) float64. Raises InvalidBundle as `answers` does."""
    model, reason = opened.files.get(ONNX), opened.manifest.left_out.get(ONNX)
    if model is None:
        detail = f"the bundle has no {ONNX}" + (f": {reason}" if reason else "") + "; use its model.py"
        raise InvalidBundle(Fault(pointer=f"/{ONNX}", rule="file_missing", detail=detail))
    inputs = network_inputs(opened.manifest, given.arrays)
    whole = opened.manifest.is_graph
    starts = [0] if whole else range(0, len(inputs["x"]), BATCH)
    try:
        logits = [run_onnx(model, inputs if whole else {"x": inputs["x"][start : start + BATCH]}) for start in starts]
    except ExportFailure as failure:
        detail = f"{ONNX} does not run: {failure}"
        raise InvalidBundle(Fault(pointer=f"/{ONNX}", rule="model_unsuitable", detail=detail)) from failure
    found = _softmax(np.concatenate(logits))
    if found.shape != (len(given.rows), opened.manifest.classes):
        detail = f"{ONNX} gave logits of shape {found.shape}, expected {(len(given.rows), opened.manifest.classes)}"
        raise InvalidBundle(Fault(pointer=f"/{ONNX}", rule="model_unsuitable", detail=detail))
    return found


def _softmax(logits: Array) -> npt.NDArray[np.float64]:
    powers: npt.NDArray[np.float64] = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="archsmith predict", description="Name the classes of files.")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="the zip that `archsmith download` fetched")
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="pictures, .npy, .npz, or files of a data set"
    )
    parser.add_argument("--top", type=int, default=TOP, help="classes per row, the most probable ones")
    parser.add_argument("--json", action="store_true", help="a JSON object a row, with all classes")
    given = parser.parse_args(arguments)
    if not given.bundle.is_file():
        sys.stderr.write(f"archsmith: there is no file {given.bundle}\n")
        return WRONG
    try:
        opened = open_bundle(given.bundle)
    except InvalidInput as error:
        sys.stderr.write(f"archsmith: {given.bundle.name} is no whole bundle: {error.words}\n")
        return BROKEN
    ends = [_file(opened, group, top=given.top, as_json=given.json) for group in groups(given.files)]
    return max(ends)


def _file(opened: Opened, paths: Sequence[Path], *, top: int, as_json: bool) -> int:
    """The exit code for files that belong together; other files are classified even if these fail."""
    warned = False
    try:
        for given in read_files(paths, opened.manifest):
            if given.remark and not warned:
                sys.stderr.write(f"archsmith: {paths[0].name}: {given.remark}\n")
                warned = True
            for answer in answers(opened, given):
                shown = json.dumps({"what": answer.what, "classes": answer.classes}) if as_json else answer.line(top)
                sys.stdout.write(shown + "\n")
    except InvalidInput as error:
        sys.stderr.write(f"archsmith: {' '.join(error.words.split())}\n")
        return WRONG
    return 0


if __name__ == "__main__":
    sys.exit(main())
