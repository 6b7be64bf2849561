"""A job in a real MLflow server: everything once, whether it is delivered twice, late or by somebody else.

And what that server does not let through, asked over HTTP.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from safetensors.numpy import load_file

from api import process
from search.ledger import OutboxRow
from search.spec import ObjectiveSpec
from search.trial import JobState
from tests.driving import ALONE, Yard, finalists, until
from tests.fakes import Fake, latency, score
from workers.tracking.naming import short
from workers.tracking.tracker import EXPERIMENT, NOTE, MlflowTracker

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("mlflow"), _free_port()
    command = [sys.executable, "-m", "workers.tracking.mlflow_server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--allowed-hosts", f"127.0.0.1:{port}"]
    url = f"http://127.0.0.1:{port}"
    server = process.spawn(command, cwd=folder, env=process.environment(QUIET), log=folder / "log")
    until(lambda: process.ended(server) or _answers(url))
    assert not process.ended(server), (folder / "log").read_text()
    yield url
    process.stop([server], grace_s=20)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _job(yard: Yard, **changes: Any) -> str:
    objective = ObjectiveSpec(minimize=("latency_ms",))
    return yard.submit(trials=5, epochs=2, finalists=finalists(top=2), objective=objective, trial=ALONE, **changes)


FAULTS = Fake(crashed=frozenset({3}), killed_once=frozenset({2}))


def _seen(client: MlflowClient, job_id: str) -> dict[str, Any]:
    """All that MLflow knows of a job, by the keys of its runs."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], f"tags.`archsmith.job` = '{job_id}'", max_results=1000)
    seen: dict[str, Any] = {"versions": [], "keys": sorted(r.data.tags["archsmith.key"] for r in runs)}
    for run in runs:
        run_id = run.info.run_id
        metrics = {
            name: sorted((m.step, m.timestamp, m.value) for m in client.get_metric_history(run_id, name))
            for name in run.data.metrics
        }
        seen[run.data.tags["archsmith.key"]] = {
            "id": run_id,
            "name": run.info.run_name,
            "role": run.data.tags.get("archsmith.role"),
            "note": run.data.tags.get(NOTE),
            "inputs": [given.dataset.name for given in run.inputs.dataset_inputs],
            "status": run.info.status,
            "times": (run.info.start_time, run.info.end_time),
            "parent": run.data.tags.get("mlflow.parentRunId"),
            "params": dict(run.data.params),
            "metrics": metrics,
            "files": sorted(f.path for f in client.list_artifacts(run_id)),
        }
        versions = client.search_model_versions(f"run_id = '{run_id}'")
        seen["versions"] += sorted((v.name, v.version, v.source) for v in versions)
    return seen


def _is_whole(seen: dict[str, Any], yard: Yard, job_id: str) -> None:
    parent = seen["job"]
    assert seen["keys"] == ["finalist/1/0", "finalist/2/0", "job", *(f"trial/{n}" for n in range(5))]
    assert {seen[key]["parent"] for key in seen["keys"] if key.startswith("trial")} == {parent["id"]}
    trials = yard.trials(job_id)
    for final in yard.ledger.finalists(job_id):
        run = seen[f"finalist/{final.rank}/0"]
        assert run["parent"] == seen[f"trial/{final.trial_number}"]["id"], "a final training is below its trial"
        assert run["name"] == ("final: winner, seed 0" if final.rank == 1 else "final: finalist 2, seed 0")
        assert run["role"] == "final_finalist"
        assert run["times"][1] - run["times"][0] == round(1000 * final.seconds)
        assert run["metrics"].keys() >= {"final_score", "search_score", "params", "macs"}
    for number, trial in trials.items():
        run = seen[f"trial/{number}"]
        assert run["status"] == ("FAILED" if number == 3 else "FINISHED")
        result = f" · {trial.search_score:.3f}" if number != 3 else " · failed"
        kind = " · baseline" if number == 0 else ""
        assert run["name"] == f"trial {number}{kind}{result} · {short(trial.params)} params"
        assert run["role"] == ("baseline" if number == 0 else "trial")
        assert trial.choices.items() <= {k: _typed(v) for k, v in run["params"].items()}.items()
        assert run["params"]["hash"] == trial.hash
        assert {"architecture.json", "architecture.svg"} <= set(run["files"])
        epochs = [] if number == 3 else [1, 2]
        assert [step for step, _, _ in run["metrics"].get("score", [])] == epochs
        assert [value for _, _, value in run["metrics"].get("score", [])] == [score(number, e) for e in epochs]
        told = [] if number == 3 else [latency(number)]
        assert [value for _, _, value in run["metrics"].get("latency_ms", [])] == told
        assert trial.mlflow_run_id == run["id"]
    assert parent["status"] == "FINISHED"
    rising = [value for _, _, value in parent["metrics"]["best_score"]]
    assert rising == sorted(rising), "the best so far only rises, so the last one is the best"
    assert rising[-1] == yard.ledger.job(job_id).best_score
    assert len(parent["metrics"]["incumbent_params"]) == len(rising)
    assert parent["name"] == f"digits · {job_id[:8]}"
    assert parent["inputs"] == ["digits"]
    assert "**digits**" in parent["note"]
    assert "Final score on the test split" in parent["note"]
    assert parent["metrics"]["final_score"][0][2] == yard.ledger.job(job_id).final_score
    [(name, _, source)] = seen["versions"]
    assert (name, source) == (f"digits-{job_id[:8]}", f"runs:/{parent['id']}/bundle")
    assert "bundle" in parent["files"]
    assert yard.ledger.job(job_id).mlflow_run_id == parent["id"]


def _is_loadable(url: str, seen: dict[str, Any], folder: Path) -> None:
    """The registered version, by pyfunc: a signature, an input example, and what the bundle's own predict gives."""
    [(name, version, _)] = seen["versions"]
    mlflow.set_tracking_uri(url)
    assert MlflowClient(url, url).get_model_version_by_alias(name, "champion").version == version
    model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    stored = load_file(folder / "example.safetensors")
    powers = np.exp(stored["logits"])
    np.testing.assert_allclose(model.predict(stored["x"]), powers / powers.sum(axis=1, keepdims=True), rtol=1e-4)
    np.testing.assert_array_equal(model.input_example, stored["x"])


def _typed(value: str) -> Any:
    return int(value) if value.lstrip("-").isdigit() else value


def test_a_job_is_delivered_once(yard: Yard, mlflow_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.settings = replace(yard.settings, mlflow_url=mlflow_url, exports=True)
    rows: list[OutboxRow] = []
    deliver = MlflowTracker.deliver

    def noted(self: MlflowTracker, given: list[OutboxRow]) -> None:
        deliver(self, given)
        rows.extend(given)

    monkeypatch.setattr(MlflowTracker, "deliver", noted)
    job_id = _job(yard)
    assert yard.drive(FAULTS).state is JobState.SUCCEEDED
    assert yard.ledger.outbox_jobs() == []
    client = MlflowClient(mlflow_url, mlflow_url)
    seen = _seen(client, job_id)
    _is_whole(seen, yard, job_id)
    _is_loadable(mlflow_url, seen, yard.settings.job_folder(job_id) / "bundle")

    # A writer that died before it acknowledged anything, and before it filed its runs' ids.
    monkeypatch.setattr(yard.ledger, "runs", lambda _: {})
    tracker = MlflowTracker(yard.settings, yard.ledger, job_id)
    deliver(tracker, rows)
    assert _seen(client, job_id) == seen


@pytest.mark.slow
def test_mlflow_away_during_the_job(yard: Yard, mlflow_url: str) -> None:
    yard.settings = replace(yard.settings, mlflow_url=f"http://127.0.0.1:{_free_port()}")
    job_id = _job(yard)
    assert yard.drive(FAULTS).state is JobState.SUCCEEDED
    assert yard.ledger.outbox_jobs() == [job_id]
    _deliver(yard, mlflow_url)
    assert yard.ledger.outbox_jobs() == []
    client = MlflowClient(mlflow_url, mlflow_url)
    seen = _seen(client, job_id)
    _is_whole(seen, yard, job_id)
    _deliver(yard, mlflow_url)
    assert _seen(client, job_id) == seen


def _deliver(yard: Yard, url: str) -> None:
    state: Path = yard.settings.state
    env = os.environ | {"ARCHSMITH_STATE": str(state), "ARCHSMITH_MLFLOW_URL": url}
    command = [sys.executable, "-m", "workers.tracking"]
    done = subprocess.run(command, env=env, cwd=state, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert json.dumps(done.stdout) == '""'


def _status(url: str, method: str, path: str, document: Any = None, **headers: str) -> int:
    """Of one request, its path sent as it stands."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    body = None if document is None else json.dumps(document)
    connection.request(method, path, body, {"Content-Type": "application/json", **headers})
    status = connection.getresponse().status
    connection.close()
    return status


def test_nothing_of_the_server_runs_or_calls_anything(mlflow_url: str) -> None:
    assistant = "/ajax-api/3.0/mlflow/assistant"
    closed = [
        ("GET", "config"),
        ("PUT", "config"),
        ("POST", "message"),
        ("GET", "sessions/x/stream"),
        ("HEAD", "config"),
    ]
    assert {_status(mlflow_url, method, f"{assistant}/{path}", {}) for method, path in closed} == {404}
    assert _status(mlflow_url, "GET", "/ajax-api/3.0/mlflow/server-info") == 200
    for origin in ("http://localhost:3000", "null", "http://evil.example"):
        assert _status(mlflow_url, "GET", "/ajax-api/3.0/mlflow/server-info", Origin=origin) == 403
        assert _status(mlflow_url, "PUT", f"{assistant}/config", {}, Origin=origin) == 403
    assert _status(mlflow_url, "GET", "/health", Host="evil.example") == 403
    others = [("GET", "/api/2.0/mlflow/webhooks"), ("POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=a&path=b")]
    others += [("POST", "/ajax-api/3.0/jobs/"), ("POST", "/gateway/mlflow/v1/chat/completions"), ("POST", "/v1/traces")]
    assert {_status(mlflow_url, method, path, {}) for method, path in others} == {404}
    for trick in ("/%61jax-api/3.0/mlflow/%61ssistant/config", f"/{assistant}/config", f"{assistant}/%2e/config"):
        assert _status(mlflow_url, "GET", trick) == 404


def test_no_file_outside_the_artifacts_is_read_or_written(mlflow_url: str, tmp_path: Path) -> None:
    client = MlflowClient(mlflow_url, mlflow_url)
    for place in (f"file://{tmp_path}", str(tmp_path), "s3://bucket", "mlflow-artifacts:/../x"):
        with pytest.raises(MlflowException, match="artifact_location"):
            client.create_experiment(f"at {place}", artifact_location=place)
    run = client.create_run(client.create_experiment("files")).info
    client.log_text(run.run_id, "inside", "inside.txt")
    client.create_registered_model("files")
    for source in (f"file://{tmp_path}", str(tmp_path), "s3://bucket/k", "local:/etc", f"{run.artifact_uri}/../.."):
        with pytest.raises(MlflowException, match="Invalid model version source"):
            client.create_model_version("files", source, run_id=run.run_id)
    version = client.create_model_version("files", f"{run.artifact_uri}/inside.txt", run_id=run.run_id)
    assert version.run_id == run.run_id
    below = f"/api/2.0/mlflow-artifacts/artifacts/{run.experiment_id}/{run.run_id}/artifacts"
    reads = (f"/get-artifact?run_id={run.run_id}&path=", "/model-versions/get-artifact?name=files&version=1&path=")
    assert (
        _status(mlflow_url, "GET", f"{reads[0]}inside.txt") == _status(mlflow_url, "GET", f"{below}/inside.txt") == 200
    )
    ups = ("../" * 12, "%2e%2e/" * 12, "%252e%252e%252f" * 12, "..%2f" * 12, "..%5c" * 12, "/", "//", "file:///", "%2f")
    for up in ups:
        for path in (*(read + up for read in reads), f"{below}/{up}", f"/static-files/{up}"):
            assert _status(mlflow_url, "GET", f"{path}etc/passwd") in (400, 404), path
        assert _status(mlflow_url, "PUT", f"{below}/{up}{tmp_path}/planted", {}) in (400, 404)
    assert list(tmp_path.iterdir()) == []
