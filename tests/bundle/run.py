"""`make bundle-test [BUNDLE=path]`: bundles opened where torch is the only package.

A bundle is made of every preset, from a random network with random weights. Each is held to its word in this
environment (ONNX Runtime), then its model.py, model.pt2 and the example of its card are run in a second one that has
torch and nothing else; a model with graph layers has torch_geometric beside it, as its requirements.txt says. Two are
made once more by another process and must have the same bytes. With a path, the bundle of a real job is opened instead.

`archsmith verify` bars the way to all other packages of one environment; here they are not there. The second
environment is made once and kept in `.venv`.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from space import presets
from tests.bundle.made import of_preset, published
from workers.bundle import torch_only
from workers.bundle.manifest import TOLERANCES
from workers.bundle.opened import open_bundle
from workers.bundle.verify import verify

ROOT = Path(__file__).resolve().parents[2]
TWICE = ("tiny", "graph_class")
"""Made in two processes with other hash seeds."""


def say(text: str) -> None:
    print(f"bundle-test: {text}", flush=True)


def environment(packages: Sequence[str]) -> Path:
    """The interpreter of an environment with what a bundle says that it needs, and the dependencies of that."""
    folder = ROOT / ".venv" / f"{'-and-'.join(packages)}-only"
    python = folder / "bin" / "python"
    if not python.is_file():
        say(f"making {folder.relative_to(ROOT)}")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        wanted = [f"{package}=={version(package).partition('+')[0]}" for package in packages]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *wanted], check=True)
    absent = subprocess.run([str(python), "-c", "import safetensors"], capture_output=True, check=False)
    assert absent.returncode != 0, "this environment has more than the bundle needs"
    return python


def hold_to_its_word(bundle: Path, folder: Path) -> str:
    """Raises AssertionError that says what does not hold; returns the largest differences."""
    wrong = [f"{check.what}: {check.detail}" for check in verify(bundle, code=False) if check.ok is False]
    assert not wrong, wrong
    opened = open_bundle(bundle)
    opened.unpack(folder)
    assert not opened.manifest.left_out, opened.manifest.left_out
    subprocess.run(["sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)
    python = environment(torch_only.packages_of(folder))
    done = subprocess.run(
        [str(python), "-I", torch_only.__file__, str(folder)], check=True, capture_output=True, text=True
    )
    differences = json.loads(done.stdout)["differences"]
    for form, apart in differences.items():
        assert apart <= TOLERANCES.get(form, TOLERANCES["model.py"]), f"{form} is {apart:.1e} away"
    (example,) = re.findall(r"```python\n(.*?)```", (folder / "model_card.md").read_text(), re.DOTALL)
    subprocess.run([str(python), "-c", example], cwd=folder, check=True, capture_output=True)
    return ", ".join(f"{form} {apart:.0e}" for form, apart in differences.items())


def of_presets(names: Sequence[str], folder: Path) -> None:
    failed = []
    for name in names:
        start = time.monotonic()
        try:
            bundle = published(folder / name, of_preset(name))
            if name in TWICE:
                same_bytes(name, bundle, folder / f"{name}-again")
            told = hold_to_its_word(bundle, folder / f"{name}-opened")
        except (AssertionError, subprocess.CalledProcessError) as error:
            failed.append(name)
            told = f"FAILED: {error} {getattr(error, 'stderr', '') or ''}"
        say(f"{name:<16}{time.monotonic() - start:5.0f} s   {told}")
    assert not failed, f"failed: {', '.join(failed)}"


def same_bytes(name: str, bundle: Path, folder: Path) -> None:
    """Raises AssertionError when another process makes another bundle of the same network."""
    command = [sys.executable, "-m", "tests.bundle.run", "--make", name, "--into", str(folder)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "7"}, check=True)
    first, second = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (bundle, folder / "bundle.zip"))
    assert first == second, f"two processes made two bundles of {name}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="make bundle-test")
    parser.add_argument("bundle", nargs="?", type=Path, help="of a real job")
    parser.add_argument("--presets", nargs="+", default=presets.names(), choices=presets.names())
    parser.add_argument("--make", help="only make the bundle of this preset")
    parser.add_argument("--into", type=Path, help="where")
    given = parser.parse_args(arguments)
    if given.make:
        published(given.into, of_preset(given.make))
        return
    with tempfile.TemporaryDirectory() as place:
        if given.bundle:
            say(hold_to_its_word(given.bundle, Path(place) / "opened"))
        else:
            of_presets(given.presets, Path(place))
    say("passed")


if __name__ == "__main__":
    main()
