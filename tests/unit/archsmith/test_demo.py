"""The demo's checks can fail: each way a bundle can be wrong is made, and named."""

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

import pytest

from archsmith import demo, serving
from archsmith.client import Client
from archsmith.refusals import ClientError
from tests.unit.archsmith.fake_service import JOB, Answer, FakeService, answer, job

MODEL = """
import torch
from torch import nn

def load(path="weights.safetensors"):
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval()
"""
REPORT = {"search_score": 0.5, "final_score": 0.25, "trials": {"completed": 2, "failed": 1, "pruned": 0}}


FILES = {
    "model.py": MODEL,
    "weights.safetensors": "",
    "architecture.json": json.dumps({"input_shape": [1, 2, 2], "classes": 3}),
    "report.json": json.dumps(REPORT),
}


def sums(files: dict[str, str]) -> str:
    return "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in files.items())


def bundle(path: Path, changes: dict[str, str] | None = None) -> Path:
    """A bundle, with files changed or added behind the back of its SHA256SUMS."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (FILES | {"SHA256SUMS": sums(FILES)} | (changes or {})).items():
            archive.writestr(name, text)
    return path


def test_a_whole_bundle_passes(tmp_path: Path) -> None:
    report = demo.check(bundle(tmp_path / "b.zip"), tmp_path / "b")
    assert report["opened"] == {"parameters": 15, "input": [2, 1, 2, 2], "output": [2, 3]}
    assert demo.summary_lines(report)[0] == "searched 3 architectures: 2 completed, 1 failed"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model.py": MODEL + "\n"}, "model.py .* differs"),
        ({"extra.py": "import os"}, "extra.py .* differs"),
        ({"../outside": ""}, "outside its own folder"),
        ({"sub/file": ""}, "outside its own folder"),
        ({"SHA256SUMS": sums(FILES | {"model.onnx": ""})}, "lacks model.onnx"),
    ],
)
def test_a_bundle_that_is_not_what_it_says_is_refused(tmp_path: Path, changes: dict[str, str], says: str) -> None:
    with pytest.raises(ClientError, match=says):
        demo.check(bundle(tmp_path / "b.zip", changes), tmp_path / "b")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("import safetensors\n" + MODEL, "safetensors"),
        ("import numpy\n" + MODEL, "numpy"),
        ("from space.build import build\n" + MODEL, "space"),
        (MODEL.replace("4, 3", "4, 5"), "logits of shape \\(2, 5\\)"),
        (MODEL.replace("4, 3", "5, 3"), "shapes cannot be multiplied"),
    ],
)
def test_a_model_that_needs_more_than_torch_is_refused(tmp_path: Path, model: str, says: str) -> None:
    changes = {"model.py": model, "SHA256SUMS": sums(FILES | {"model.py": model})}
    with pytest.raises(ClientError, match=says):
        demo.check(bundle(tmp_path / "b.zip", changes), tmp_path / "b")


def test_the_demo_on_a_running_service_ends_with_the_bundle(service: FakeService, tmp_path: Path) -> None:
    data = bundle(tmp_path / "b.zip").read_bytes()
    service.on("POST", "/v1/jobs", answer(job("queued"), 202))
    service.on("GET", f"/v1/jobs/{JOB}", answer(job("succeeded")))
    service.on("GET", f"/v1/jobs/{JOB}/bundle", Answer(body=data))
    out = io.StringIO()
    demo.run(service.url, folder=tmp_path / "demo", out=out)
    last = out.getvalue().splitlines()[-1]
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


def test_a_service_that_never_answers_is_given_up_and_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
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
