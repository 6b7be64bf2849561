"""The scripts of the pages: their unit tests by node, their types by TypeScript. Skipped where these are missing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "pages"


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=PAGES, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"


@pytest.mark.heavy
def test_pure_functions_of_the_pages() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    _run(node, "--test", *sorted(str(path) for path in (PAGES / "unit").glob("*.test.js")))


@pytest.mark.heavy
def test_types_of_the_pages() -> None:
    tsc = PAGES / "node_modules" / ".bin" / "tsc"
    if not tsc.exists():
        pytest.skip("TypeScript is not installed: `npm install --prefix tests/pages`")
    _run(os.fspath(tsc), "-p", "tsconfig.json")
