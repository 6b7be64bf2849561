"""`archsmith verify`: whether a bundle is what it claims: `python -m workers.bundle.verify BUNDLE [--no-code] [--json]`

    sums       every file against SHA256SUMS
    weights    the network built anew from architecture.json, by this installation's own code
    model.onnx by ONNX Runtime
    model.py, model.pt2, predict
               in a process that can import torch and nothing else; this runs the bundle's code, --no-code leaves it out

Each form gets the stored example and must give the stored logits. The sums detect damage, not tampering: whoever
changes a file can change its sum.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archsmith.errors import ArchsmithError, Fault, InvalidBundle, InvalidInput
from space.third_party import ExportFailure
from workers.bundle import torch_only
from workers.bundle.example import GIVEN, apart, within
from workers.bundle.exports import EXAMPLE, ONNX, PROGRAM, network_inputs, run_onnx
from workers.bundle.manifest import TOLERANCES, Array, Manifest
from workers.bundle.opened import Opened, document, open_bundle
from workers.bundle.publish import SUMS

DIFFERS, WRONG = 1, 2
CODE_S = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """The result of one check. ok: None for what was not checked."""

    what: str
    ok: bool | None
    detail: str


def verify(bundle: Path, *, code: bool = True) -> Iterator[Check]:
    """The checks in order, each as soon as it is done. code: whether the bundle's own code may run."""
    try:
        opened = open_bundle(bundle)
        yield Check(what=SUMS, ok=True, detail=f"{len(opened.files)} files, each as its sum says")
        yield from _of_manifest(opened.manifest)
        if EXAMPLE not in opened.files and EXAMPLE in opened.manifest.left_out:
            yield from _without_example(opened, code=code)
            return
        inputs, logits = stored(opened)
        yield _of_architecture(opened, inputs, logits)
    except InvalidInput as error:
        yield from (Check(what=fault.pointer.strip("/") or bundle.name, ok=False, detail=fault.detail)
                    for fault in error.faults)  # fmt: skip
        return
    yield _of_onnx(opened, inputs, logits)
    yield from _of_code(opened) if code else _not_run()


def _of_manifest(manifest: Manifest) -> Iterator[Check]:
    """Nothing to check, but to say, of a bundle from before the end of its job."""
    if (given := manifest.provisional) is not None:
        detail = f"trial {given.trial} after {given.epochs} of {given.epochs_total} epochs, {given.score} "
        detail += f"{given.search_score:.4f} on the validation split; missing: {'; '.join(given.missing) or 'nothing'}"
        yield Check(what="provisional", ok=None, detail=detail)


def _without_example(opened: Opened, *, code: bool) -> Iterator[Check]:
    """Without stored logits to compare with: only whether code and weights fit together."""
    yield from (_absent(opened.manifest, name) for name in (EXAMPLE, ONNX, PROGRAM))
    if code:
        yield from _of_code(opened)


def stored(opened: Opened) -> tuple[dict[str, Array], Array]:
    """The network's inputs for the stored example, and the logits (rows, classes) it must give.

    Raises InvalidBundle.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    name = EXAMPLE
    try:
        tensors = load(opened.files[name])
        wanted = ("x", *GIVEN.get(opened.manifest.data, ()))
        return network_inputs(opened.manifest, {key: tensors[key] for key in wanted}), tensors["logits"]
    except (KeyError, ValueError, SafetensorError) as error:
        detail = f"{name} holds no example: {type(error).__name__}: {error}"
        raise InvalidBundle(Fault(pointer=f"/{name}", rule="example_invalid", detail=detail)) from error


def _of_architecture(opened: Opened, inputs: dict[str, Array], logits: Array) -> Check:
    """Checks the network as this installation builds it, with the bundle's weights."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    from space.architecture import Architecture
    from space.build import build

    what = "weights.safetensors"
    try:
        architecture = Architecture.from_json(document(opened.files, "architecture.json"))
        module = build(architecture)
        module.load_state_dict(load(opened.files[what]))
    except (ArchsmithError, KeyError, RuntimeError, SafetensorError) as error:
        first = str(error).splitlines()[0][:300]
        return Check(what=what, ok=False, detail=f"do not fit architecture.json: {first}")
    if architecture.hash != opened.manifest.architecture:
        return Check(
            what="architecture.json", ok=False, detail=f"has the hash {architecture.hash}, bundle.json another"
        )
    try:
        with torch.no_grad():
            found = module.eval()(*(torch.from_numpy(value) for value in inputs.values())).numpy()
    except (RuntimeError, IndexError, ValueError) as error:
        detail = f"the network of architecture.json does not take the example: {str(error).splitlines()[0][:300]}"
        return Check(what=what, ok=False, detail=detail)
    how = "in the network that architecture.json describes, built anew"
    return _compared(what, found, logits, TOLERANCES["model.py"], how)


def _of_onnx(opened: Opened, inputs: dict[str, Array], logits: Array) -> Check:
    if ONNX not in opened.files:
        return _absent(opened.manifest, ONNX)
    try:
        found = run_onnx(opened.files[ONNX], inputs)
    except ExportFailure as failure:
        return Check(what=ONNX, ok=False, detail=f"does not run: {failure}")
    return _compared(ONNX, found, logits, TOLERANCES[ONNX], "in ONNX Runtime")


def _of_code(opened: Opened) -> Iterator[Check]:
    """Checks the unpacked files with `torch_only`."""
    with tempfile.TemporaryDirectory(prefix="archsmith-bundle-") as place:
        folder = Path(place)
        opened.unpack(folder)
        try:
            answer = _run_code(folder)
        except _CodeFailed as error:
            yield Check(what="model.py", ok=False, detail=f"does not run with torch alone: {error}")
            return
    if not answer["differences"]:
        yield Check(what="model.py", ok=True, detail="takes the weights with torch alone")
        return
    for what, apart_by in answer["differences"].items():
        allowed = TOLERANCES.get(what, TOLERANCES["model.py"])
        ok = apart_by <= allowed
        detail = f"with torch alone: {apart_by:.1e} from the stored logits, {allowed:g} is allowed"
        yield Check(what="model.py: predict" if what == "predict" else what, ok=ok, detail=detail)
    if PROGRAM not in answer["differences"]:
        yield _absent(opened.manifest, PROGRAM)


class _CodeFailed(Exception):
    """Its text is the last line that the bundle's code printed when it failed."""


def _run_code(folder: Path) -> Any:
    command = [sys.executable, "-I", "-B", torch_only.__file__, str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CODE_S)
    except subprocess.TimeoutExpired:
        raise _CodeFailed(f"it was stopped after {CODE_S} s") from None
    if done.returncode != 0:
        raise _CodeFailed((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        raise _CodeFailed("it gave no answer") from None


def _not_run() -> Iterator[Check]:
    for what in ("model.py", PROGRAM):
        yield Check(what=what, ok=None, detail="not run, as asked")


def _compared(what: str, found: Array, logits: Array, tolerance: float, how: str) -> Check:
    detail = f"{how}: {apart(found, logits):.1e} from the stored logits, {tolerance:g} is allowed"
    return Check(what=what, ok=within(found, logits, tolerance), detail=detail)


def _absent(manifest: Manifest, what: str) -> Check:
    """A form that is missing, which is allowed if the bundle says why."""
    reason = manifest.left_out.get(what)
    return Check(
        what=what, ok=None if reason else False, detail=f"not in the bundle: {reason or 'and it does not say why'}"
    )


def _line(check: Check) -> str:
    mark = {True: "ok", False: "WRONG", None: "-"}[check.ok]
    return f"{mark:<6}{check.what:<22}{check.detail}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="archsmith verify", description="Hold a bundle to its word.")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="the zip that `archsmith download` fetched")
    parser.add_argument(
        "--no-code", action="store_true", help="leave out model.py and model.pt2: run no code of the bundle"
    )
    parser.add_argument("--json", action="store_true", help="a JSON object a line instead of a table")
    given = parser.parse_args(arguments)
    if not given.bundle.is_file():
        sys.stderr.write(f"archsmith: there is no file {given.bundle}\n")
        return WRONG
    if not given.no_code:
        sys.stderr.write("the bundle's own model.py is run in a process of its own; --no-code leaves it out\n")
    wrong = False
    for check in verify(given.bundle, code=not given.no_code):
        sys.stdout.write((json.dumps(asdict(check)) if given.json else _line(check)) + "\n")
        sys.stdout.flush()
        wrong = wrong or check.ok is False
    return DIFFERS if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
