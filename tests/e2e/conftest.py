"""One service for all tests of this folder, and one job that has gone all the way."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.house import WALK, House, archsmith


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("service"))
    yield house
    house.close()


@pytest.fixture(scope="session")
def walk(house: House, tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A job from its submission by the command to its end; the first line of the output is its id."""
    file = tmp_path_factory.mktemp("walk") / "job.json"
    file.write_text(json.dumps({**WALK, "budget": {**WALK["budget"], "trials": 9}}))
    return archsmith(house.url, "submit", str(file), "--name", "walk", "--trials", "4", "--watch")
