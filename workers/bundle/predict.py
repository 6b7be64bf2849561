"""`archsmith predict`: answers for files with nothing but a bundle. `python -m workers.bundle.predict BUNDLE FILE...`

It runs `model.onnx` in ONNX Runtime, with the preprocessing that `bundle.json` describes in numbers, so no code of the
bundle runs, whoever made it. (`model.py` is code, and torch evaluates expressions of a `model.pt2` it loads.)
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from archsmith.errors import Fault, InvalidBundle, InvalidInput
from space.kinds import KINDS
from space.third_party import ExportFailure
from workers.bundle.exports import ONNX, network_inputs, run_onnx
from workers.bundle.given import Given
from workers.bundle.inputs import read_files
from workers.bundle.manifest import Array, Manifest
from workers.bundle.mask_files import is_mask, written
from workers.bundle.opened import Opened, open_bundle
from workers.bundle.originals import groups
from workers.bundle.outputs import READINGS, Answer, Mask

BROKEN, WRONG = 1, 2
BATCH = 256
MAX_VALUES = 2**26
"""Of the outputs of a batch: 256 MB."""
TOP = 3


def answers(opened: Opened, given: Given, *, mirror: bool = False) -> Iterator[Answer]:
    """The answers in the order of the rows. mirror: each the mean of a picture's and of its mirror image's.

    Raises InvalidBundle where the bundle's ONNX model is missing or fails, InvalidInput where nothing can be mirrored.
    """
    labels, reading = opened.manifest.preprocessing.labels, READINGS[opened.manifest.problem]
    if mirror and opened.manifest.data != "image":
        detail = f"--mirror is for pictures, this model takes {opened.manifest.data}"
        raise InvalidInput(Fault(pointer="", rule="option_unsuitable", detail=detail))
    found = values(opened, given)
    if mirror:
        turned = replace(given, arrays={**given.arrays, "x": given.arrays["x"][..., ::-1].copy()})
        found = (found + values(opened, turned)) / 2
    for what, row in zip(given.rows, found, strict=True):
        yield reading.answer(what, row, labels)


def values(opened: Opened, given: Given) -> Array:
    """What the outputs mean: probabilities, or values of targets, (rows, columns); masks (rows, H, W).

    Raises InvalidBundle.
    """
    model, reason = opened.files.get(ONNX), opened.manifest.left_out.get(ONNX)
    if model is None:
        detail = f"the bundle has no {ONNX}" + (f": {reason}" if reason else "") + "; use its model.py"
        raise InvalidBundle(Fault(pointer=f"/{ONNX}", rule="file_missing", detail=detail))
    inputs = network_inputs(opened.manifest, given.arrays)
    manifest, whole = opened.manifest, opened.manifest.is_graph
    wanted = _output_shape(manifest)
    batch = max(1, min(BATCH, MAX_VALUES // math.prod(wanted)))
    starts = [0] if whole else range(0, len(inputs["x"]), batch)
    found = []
    try:
        for start in starts:
            outputs = run_onnx(model, inputs if whole else {"x": inputs["x"][start : start + batch]})
            rows = len(given.rows) if whole else min(batch, len(given.rows) - start)
            if outputs.shape != (rows, *wanted):
                detail = f"{ONNX} gave outputs of shape {outputs.shape}, expected {(rows, *wanted)}"
                raise InvalidBundle(Fault(pointer=f"/{ONNX}", rule="model_unsuitable", detail=detail))
            found.append(READINGS[manifest.problem].values(outputs, manifest))
    except ExportFailure as failure:
        detail = f"{ONNX} does not run: {failure}"
        raise InvalidBundle(Fault(pointer=f"/{ONNX}", rule="model_unsuitable", detail=detail)) from failure
    return np.concatenate(found)


def _output_shape(manifest: Manifest) -> tuple[int, ...]:
    """Of one row. Raises InvalidBundle where kind of data and problem do not belong together."""
    kind = KINDS.get(manifest.data)
    if kind is None or kind.dense != (manifest.problem == "segmentation"):
        detail = (
            f"the manifest speaks of {manifest.problem} of {manifest.data[:40]!r}, which this version does not know"
        )
        raise InvalidBundle(Fault(pointer="/bundle.json", rule="manifest_invalid", detail=detail))
    return kind.logits(manifest.input_shape, manifest.classes)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="archsmith predict", description="Classes, labels or values for files.")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="the zip that `archsmith download` fetched")
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="pictures, .npy, .npz, or files of a data set"
    )
    parser.add_argument("--top", type=int, default=TOP, help="classes or labels per row, the most probable ones")
    parser.add_argument("--mirror", action="store_true", help="average each picture with its mirror image")
    parser.add_argument("--json", action="store_true", help="a JSON object a row, with all numbers")
    given = parser.parse_args(arguments)
    if not given.bundle.is_file():
        sys.stderr.write(f"archsmith: there is no file {given.bundle}\n")
        return WRONG
    try:
        opened = open_bundle(given.bundle)
    except InvalidInput as error:
        sys.stderr.write(f"archsmith: {given.bundle.name} is no whole bundle: {error.words}\n")
        return BROKEN
    files = given.files if opened.manifest.problem != "segmentation" else [f for f in given.files if not is_mask(f)]
    try:
        ends = [_file(opened, group, top=given.top, as_json=given.json, mirror=given.mirror) for group in groups(files)]
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads wants no more, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return max(ends, default=0)


def _file(opened: Opened, paths: Sequence[Path], *, top: int, as_json: bool, mirror: bool) -> int:
    """The exit code for files that belong together; other files are answered even if these fail."""
    warned = False
    try:
        for given in read_files(paths, opened.manifest):
            if given.remark and not warned:
                sys.stderr.write(f"archsmith: {paths[0].name}: {given.remark}\n")
                warned = True
            for found in answers(opened, given, mirror=mirror):
                answer = written(found, paths[0]) if isinstance(found, Mask) else found
                shown = json.dumps(answer.to_json()) if as_json else answer.line(top)
                sys.stdout.write(shown + "\n")
    except InvalidInput as error:
        sys.stderr.write(f"archsmith: {' '.join(error.words.split())}\n")
        return WRONG
    return 0


if __name__ == "__main__":
    sys.exit(main())
