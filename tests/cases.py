"""The folder of inputs as people have them, which are not part of the project."""

import os
from pathlib import Path

import pytest


def case(name: str) -> Path:
    """One of the inputs; skips the test where they are not: ARCHSMITH_CASES says where, by default ../shared/cases."""
    root = Path(os.environ.get("ARCHSMITH_CASES", Path(__file__).parents[1] / ".." / "shared" / "cases"))
    path = root / name
    if not path.exists():
        pytest.skip(f"no {name}: set ARCHSMITH_CASES to the folder of input cases")
    return path.resolve()
