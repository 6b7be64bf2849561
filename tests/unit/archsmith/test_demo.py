"""The demo, its checks of bundles, and the service that it starts."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from archsmith import Client, ClientError, demo, serving
from tests.bundle.made import changed, small_bundle
from tests.unit.archsmith.fake_service import JOB, Answer, FakeService, answer, job

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda files: files.update({"model.py": b"import os"}), "model.py has the SHA-256"),
        (lambda files: files.update({"extra.py": b"import os"}), "extra.py has no line in SHA256SUMS"),
        (lambda files: files.update({"../outside": b""}), "leads out of the archive"),
        (lambda files: files.pop("model.onnx"), "the archive has no such file"),
    ],
)
def test_a_bundle_that_fails_its_checks_is_an_error(tmp_path: Path, change: Any, says: str) -> None:
    zipped = changed(small_bundle(tmp_path / "job", "image"), change, sums=False)
    with pytest.raises(ClientError, match=f"failed its checks: .*{says}"):
        demo.check(zipped)
    assert not (tmp_path / "outside").exists()


def test_the_demo_on_a_running_service_ends_with_the_bundle(service: FakeService, tmp_path: Path) -> None:
    data = small_bundle(tmp_path / "job", "image").read_bytes()
    service.on("POST", "/v1/jobs", answer(job("queued"), 202))
    service.on("GET", f"/v1/jobs/{JOB}", answer(job("succeeded")))
    service.on("GET", f"/v1/jobs/{JOB}/bundle", Answer(body=data))
    out = io.StringIO()
    demo.run(service.url, folder=tmp_path / "demo", out=out)
    *_, searched, _, final, word, last = out.getvalue().splitlines()
    assert searched == "searched 4 architectures: 3 completed, 1 failed"
    assert final == "final score 0.9000 (test split, full training, each measured once)"
    assert word == (
        "checks passed: SHA256SUMS, weights.safetensors, model.onnx, model.py, model.pt2, model.py: predict"
    )
    path = Path(last.removeprefix("bundle: "))
    assert path.is_absolute()
    assert path.read_bytes() == data
    posted = service.to("/v1/jobs")[0].json()
    assert (posted["dataset"], posted["controller"]) == ("digits", "tpe")
    assert posted["budget"]["trials"] >= 20


def test_the_demo_says_why_its_job_failed(service: FakeService, tmp_path: Path) -> None:
    service.on("POST", "/v1/jobs", answer(job("queued"), 202))
    service.on("GET", f"/v1/jobs/{JOB}", answer(job("failed", reason="no trial completed")))
    with pytest.raises(ClientError, match="no trial completed"):
        demo.run(service.url, folder=tmp_path, out=io.StringIO())


def pretend(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(serving, "SERVE", (sys.executable, "-c", code))


def test_a_service_that_does_not_start_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, "import sys; sys.exit('archsmith: port 1 is in use')")
    with pytest.raises(ClientError, match="exit code 1: archsmith: port 1 is in use"), serving.service(tmp_path / "s"):
        pytest.fail("it never came up")


def test_a_service_that_never_answers_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, "import time; print('waiting for Ray', flush=True); time.sleep(60)")
    with pytest.raises(ClientError, match="waiting for Ray"), serving.service(tmp_path / "s", patience_s=1.0):
        pytest.fail("it never came up")


def test_a_service_is_stopped_at_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = (
        "import sys, http.server as h; port = int(sys.argv[sys.argv.index('--port') + 1]);"
        "H = type('H', (h.BaseHTTPRequestHandler,), {'do_GET': lambda s: (s.send_response(200), s.end_headers())});"
        "h.HTTPServer(('127.0.0.1', port), H).serve_forever()"
    )
    pretend(monkeypatch, code)
    with serving.service(tmp_path / "s") as url, Client(url) as client:
        assert client.ready()
    with Client(url) as client:
        assert not client.ready()
