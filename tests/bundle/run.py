"""`make bundle-test [BUNDLE=path]`: a bundle opened by the example of its own README where torch is the only package.

A model with graph layers has torch_geometric beside it, as its README says. `archsmith demo` bars the way to all other
packages of one environment; here a second environment has none of them. Without a path a demo is run first. The second
environment is made once and kept inside the first.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from archsmith import demo, torch_only

ROOT = Path(__file__).resolve().parents[2]


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
    return python


def made_here(folder: Path) -> Path:
    """The bundle of a demo."""
    say("no bundle was named, running the demo")
    done = subprocess.run(
        [str(ROOT / ".venv" / "bin" / "archsmith"), "demo", "--folder", str(folder)],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return Path(done.stdout.strip().splitlines()[-1].removeprefix("bundle: "))


def main(path: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(path) if path else made_here(Path(folder) / "demo")
        unpacked = Path(folder) / "bundle"
        report = demo.check(bundle, unpacked)
        subprocess.run(["sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"], cwd=unpacked, check=True)
        say(f"whole; final score {report['final_score']:.4f}")
        python = environment(torch_only.packages_of(unpacked))
        absent = subprocess.run([str(python), "-c", "import safetensors"], capture_output=True, check=False)
        assert absent.returncode != 0, "this environment has more than the bundle needs"
        opened = subprocess.run(
            [str(python), "-I", torch_only.__file__, str(unpacked)], check=True, capture_output=True, text=True
        )
        say(f"opened: {opened.stdout}")
        (example,) = re.findall(r"```python\n(.*?)```", (unpacked / "README.md").read_text(), re.DOTALL)
        subprocess.run([str(python), "-c", example], cwd=unpacked, check=True)
    say("passed")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else None)
