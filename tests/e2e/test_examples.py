"""The scripts of examples/ run against a service as their docstrings say."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.house import House, archsmith

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WITHOUT = ("archsmith", "api", "workers", "search", "space", "ray", "mlflow", "optuna", "onnxruntime")
"""What `use_bundle.py` must do without."""


def run(house: House, folder: Path, *arguments: str) -> str:
    """The output of an example that is started in `folder`."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"ARCHSMITH_URL": house.url, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def photos(folder: Path) -> Path:
    """Two classes that are easy to tell apart: dark and bright images."""
    rng = np.random.default_rng(0)
    for name, level in (("night", 40), ("day", 200)):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            pixels = np.clip(rng.normal(level, 20, (32, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def test_every_example_is_run_here() -> None:
    text = Path(__file__).read_text()
    assert [path.name for path in EXAMPLES.glob("*.py") if f'"{path.name}"' not in text] == []


@pytest.mark.slow
def test_the_first_job(house: House, tmp_path: Path) -> None:
    out = run(house, tmp_path, str(EXAMPLES / "first_job.py"))
    assert [line.split(":")[0] for line in out.splitlines() if line.startswith("trial ")] == [
        f"trial {number}" for number in range(4)
    ]
    assert "\nfinal score 0." in out
    assert (tmp_path / "digits.zip").is_file()


@pytest.mark.slow
def test_own_images(house: House, tmp_path: Path) -> None:
    out = run(house, tmp_path, str(EXAMPLES / "own_images.py"), str(photos(tmp_path / "photos")), "sky")
    assert "data set sky: 2 classes, images of (3, 32, 32)" in out
    assert (tmp_path / "sky.zip").is_file()


@pytest.mark.slow
def test_a_custom_space_with_constraints(house: House, tmp_path: Path) -> None:
    out = run(house, tmp_path, str(EXAMPLES / "custom_space.py"))
    size, _, winner = out.partition("\nwinner: ")
    assert int(size.split()[0]) > 50
    assert int(winner.split()[0]) <= 20_000


def test_a_bundle_is_used_with_torch_alone(
    house: House, walk: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    assert archsmith(house.url, "download", walk.stdout.split()[0], "-o", str(tmp_path / "walk.zip")).returncode == 0
    blocked = f"import sys, runpy; sys.modules.update(dict.fromkeys({WITHOUT!r}));"
    script = str(EXAMPLES / "use_bundle.py")
    out = run(house, tmp_path, "-c", f"{blocked} sys.argv[1:] = ['walk.zip']; runpy.run_path({script!r})")
    shares = {line.partition(": ")[0]: float(line.partition(": ")[2]) for line in out.splitlines()}
    assert list(shares) == list("0123456789")
    assert sum(shares.values()) == pytest.approx(1.0, abs=0.01)
