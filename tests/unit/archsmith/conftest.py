"""A fake service, and a runner for the command."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from archsmith import cli
from tests.unit.archsmith.fake_service import FakeService, running


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeService]:
    with running() as fake:
        monkeypatch.setenv("ARCHSMITH_URL", fake.url)
        yield fake


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def archsmith(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def run(*arguments: str) -> Ran:
        code = cli.run(arguments)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run
