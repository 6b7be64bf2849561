"""A network that cannot be exported, or not in time, is published without its exported forms."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from archsmith.errors import TrialFailure
from search.ledger import Lease
from tests.bundle.made import preprocessing, small, small_exported
from tests.driving import spec
from workers import bundle
from workers.job.context import JobContext
from workers.phases import finish as finish_module
from workers.phases.finish import Finish
from workers.settings import Settings

TASK = bundle.ExportTask(
    architecture=small("image").to_json(), weights=b"", preprocessing=preprocessing(small("image"))
)
DIED = TrialFailure("worker lost repeatedly: WorkerCrashedError", cause="lost")


def made(folder: Path, results: list[Any], patch: pytest.MonkeyPatch, *, exports: bool = True) -> bundle.Exports:
    """What a job gets when the cluster gives these results."""

    def run_tasks(function: Any, tasks: Any, **options: Any) -> Iterator[Any]:
        assert (function, tasks, options["gpus"]) == (bundle.export, [TASK], 0)
        yield from ((TASK, result) for result in results)

    patch.setattr(finish_module, "run_tasks", run_tasks)
    row = SimpleNamespace(spec=spec(), phases={}, seconds_used=0.0, started_at=None)
    ledger: Any = SimpleNamespace(job=lambda _: row)
    settings = Settings(state=folder, database_url="sqlite://", exports=exports)
    finish = Finish(JobContext.of(settings, ledger, Lease(job_id="a", owner="b", fence=1)))
    return finish._exports(TASK)


@pytest.mark.heavy
def test_the_reason_for_missing_exports_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = small_exported("image")
    assert made(tmp_path, [whole], monkeypatch) is whole
    for results, exports, says in (
        ([DIED], True, "worker lost repeatedly: WorkerCrashedError"),
        ([], True, "the exporters were stopped after 900 s"),
        ([whole], False, "the service has ARCHSMITH_EXPORTS=0"),
    ):
        found = made(tmp_path, results, monkeypatch, exports=exports)
        assert dataclasses.astuple(found) == (
            {},
            dict.fromkeys(("model.pt2", "model.onnx", "example.safetensors"), says),
        )


def test_the_variable_is_a_flag() -> None:
    assert [Settings.from_env({"ARCHSMITH_EXPORTS": text}).exports for text in ("", "0", "1")] == [True, False, True]
