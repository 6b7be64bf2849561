"""A job that still runs, for client and command: its bundle so far, its early end, its budget."""

import dataclasses
import hashlib
import io
import itertools
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archsmith import Client, ConflictError, ConnectError, InvalidInputError, Provisional, provisional
from archsmith.commands import progress
from archsmith.values import Job
from tests.unit.archsmith.conftest import Ran
from tests.unit.archsmith.fake_service import JOB, Answer, FakeService, Request, answer, job, problem

BUNDLE = f"/v1/jobs/{JOB}/bundle"
WORTH = {
    "trial": 3, "epochs": 2, "epochs_total": 8, "score": "accuracy", "search_score": 0.75,
    "missing": ["the rest of the search", "the report"],
}  # fmt: skip
WORDS = (
    "provisional: trial 3 after 2 of 8 epochs, accuracy 0.7500 on the validation split; "
    "missing: the rest of the search; the report"
)


def _zip(**manifest: Any) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("bundle.json", json.dumps(manifest))
    return stream.getvalue()


def _sent(data: bytes) -> Answer:
    return Answer(body=data, headers={"ETag": f'"{hashlib.sha256(data).hexdigest()}"'})


def test_a_provisional_bundle_says_so(service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    service.on("GET", BUNDLE, _sent(_zip(provisional=WORTH)))
    with Client() as c:
        path = c.download_bundle(JOB)
        assert path == Path(f"archsmith-{JOB[:8]}-provisional.zip")
        assert c.download_bundle(JOB, "named.zip") == Path("named.zip")
    given = provisional(path)
    assert given == Provisional(**{**WORTH, "missing": ("the rest of the search", "the report")})  # type: ignore[arg-type]
    assert given is not None
    assert given.words == WORDS
    winner = dataclasses.replace(given, epochs=24, epochs_total=24, final_score=0.8)
    assert winner.words.startswith(
        "provisional: trial 3, fully trained (24 epochs), accuracy 0.8000 on the test split;"
    )
    service.on("GET", BUNDLE, _sent(_zip(left_out={})))
    with Client() as c:
        path = c.download_bundle(JOB)
    assert (path, provisional(path)) == (Path(f"archsmith-{JOB[:8]}.zip"), None)


@pytest.mark.parametrize("content", [b"no zip", _zip(), _zip(provisional={"trial": 1}), _zip(provisional=3)])
def test_what_says_nothing_is_not_provisional(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.zip").write_bytes(content)
    assert provisional(tmp_path / "b.zip") is None


def test_a_bundle_that_was_replaced_meanwhile_is_fetched_anew(service: FakeService, tmp_path: Path) -> None:
    data = b"the better one"
    (tmp_path / f".b.zip.{JOB}.part").write_bytes(b"half")

    def serve(request: Request) -> Answer:
        whole = _sent(data)
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        return Answer(status=206 if start else 200, body=data[start:], headers=whole.headers)

    service.on("GET", BUNDLE, serve)
    with Client() as c:
        assert c.download_bundle(JOB, tmp_path / "b.zip").read_bytes() == data
    assert ["range" in one.headers for one in service.to(BUNDLE)] == [True, False]


def test_download_says_what_is_missing(service: FakeService, archsmith: Callable[..., Ran], tmp_path: Path) -> None:
    service.on("GET", BUNDLE, _sent(_zip(provisional=WORTH)))
    ran = archsmith("download", JOB, "-o", str(tmp_path / "b.zip"))
    assert (ran.code, ran.out, ran.err) == (0, f"{tmp_path / 'b.zip'}\n", WORDS + "\n")


def test_finish_and_extend(service: FakeService, archsmith: Callable[..., Ran]) -> None:
    service.on("POST", f"/v1/jobs/{JOB}/finish", answer(job("running"), 202))
    service.on("PATCH", f"/v1/jobs/{JOB}", answer(job("queued"), 202))
    assert archsmith("finish", JOB).code == 0
    assert archsmith("finish", JOB, "--within", "90").code == 0
    assert [one.query for one in service.to(f"/v1/jobs/{JOB}/finish")] == [{}, {"within_seconds": "90"}]
    assert archsmith("extend", JOB, "--trials", "60", "--seconds", "900").out.startswith("queued, ")
    assert service.to(f"/v1/jobs/{JOB}")[0].json() == {"budget": {"trials": 60, "seconds": 900.0}}
    nothing = archsmith("extend", JOB)
    assert (nothing.code, "--trials" in nothing.err) == (2, True)


def test_refusals_have_the_least_that_is_allowed(service: FakeService) -> None:
    fault = {"pointer": "/budget/trials", "rule": "below_spent", "detail": "at least 7", "allowed": {"minimum": 7}}
    service.on("PATCH", f"/v1/jobs/{JOB}", problem(422, "below_spent", "at least 7", errors=[fault]))
    service.on("POST", f"/v1/jobs/{JOB}/finish", problem(409, "state_conflict", "it has ended", state="succeeded"))
    with Client() as c:
        with pytest.raises(InvalidInputError, match="at least 7"):
            c.extend(JOB, trials=3)
        with pytest.raises(ConflictError, match="it has ended"):
            c.finish(JOB)


def test_watching_tells_from_the_first_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("archsmith.commands.progress.time.monotonic", lambda: now[0])
    out = io.StringIO()
    shown = progress.Lines(out)
    base: dict[str, Any] = {"progress": {"trials": {"running": 1}, "trials_total": 4}, "best": None}
    one = {"trial": 0, "epochs_total": 8}
    winner = {**WORTH, "final_score": 0.8}
    three = [0.5, 0.6, 0.7]
    for at, scores, bundle in (
        (0, [], None), (1, [0.5], None), (2, [0.5, 0.6], None),
        (9, three, WORTH), (10, three, winner), (11, three, winner),
    ):  # fmt: skip
        now[0] = float(at)
        held = bundle and {"sha256": "x", "bytes": 1, "provisional": bundle}
        document = job(**base, doing="trains", running=[{**one, "scores": scores}], bundle=held)
        shown.show(Job.from_json(document))
    assert out.getvalue().splitlines() == [
        "search: trains",
        "running, 0/4 trials done, 1 running",
        "running, 0/4 trials done, 1 running, trial 0 0.7000 after epoch 3 of 8",
        f"a provisional bundle of trial 3 is there: `archsmith download {JOB}` gets it",
        f"a provisional bundle of the fully trained winner, trial 3 is there: `archsmith download {JOB}` gets it",
    ]


def test_watching_is_never_silent_for_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("archsmith.commands.progress.time.monotonic", lambda: now[0])
    out = io.StringIO()
    shown, same, told = progress.Lines(out), Job.from_json(job(doing="trains", best=None)), [0.0]
    for half in range(1, 100):
        now[0] = half / 2
        before = len(out.getvalue())
        if half < 60:
            shown.show(same)
        else:
            shown.silent(now[0] - 30)
        if len(out.getvalue()) > before:
            told.append(now[0])
    assert max(later - earlier for earlier, later in itertools.pairwise(told)) < 10
    assert len(told) < 10
    assert "the service has not answered for 6 s; still asking" in out.getvalue()


def test_waiting_tells_of_silence(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[float] = []
    answers = [Job.from_json(job(state="succeeded")), None]

    def next_answer(_: str) -> Job:
        found = answers.pop()
        if found is None:
            raise ConnectError("http://x", "refused")
        return found

    with Client() as c:
        monkeypatch.setattr(c, "job", next_answer)
        assert c.wait(JOB, interval_s=0.0, on_silence=heard.append).finished
    assert len(heard) == 1
    assert not service.requests
