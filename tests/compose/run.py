"""`make compose-test`: docker-compose.yml for real. Builds, starts, runs a small job to its bundle, takes all down.

Uses the Docker engine that answers. Where there is none, ARCHSMITH_DOCKER_OFFLINE may name a program that starts one:
`PROGRAM up` ends with a line `export DOCKER_HOST=…`, `PROGRAM down` stops it.
"""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from archsmith import demo
from archsmith.client import Client
from archsmith.commands.progress import view
from archsmith.serving import free_ports

ROOT = Path(__file__).resolve().parents[2]
START_S = 300.0
JOB_S = 600.0
SERVICES = {"api", "dispatcher", "mlflow", "postgres", "ray-head", "ray-worker"}


def say(text: str) -> None:
    print(f"compose-test: {text}", flush=True)


def run(
    command: list[str], env: Mapping[str, str], *, check: bool = True, capture_output: bool = False
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=dict(env), cwd=ROOT, text=True, check=check, capture_output=capture_output)


@contextmanager
def engine() -> Iterator[dict[str, str]]:
    """An environment in which `docker` answers."""
    env = dict(os.environ)
    if run(["docker", "info"], env, check=False, capture_output=True).returncode == 0:
        yield env
        return
    program = env.get("ARCHSMITH_DOCKER_OFFLINE")
    if not program:
        raise SystemExit("no Docker engine answers; start one, or set ARCHSMITH_DOCKER_OFFLINE")
    say(f"no engine answers, starting one with {program}")
    last = run([program, "up"], env, capture_output=True).stdout.strip().splitlines()[-1]
    try:
        yield env | {"DOCKER_HOST": last.removeprefix("export DOCKER_HOST=")}
    finally:
        run([program, "down"], env, check=False)


def compose(env: Mapping[str, str]) -> list[str]:
    """`docker compose`, or the older `docker-compose`."""
    plugin = run(["docker", "compose", "version"], env, check=False, capture_output=True)
    return ["docker", "compose"] if plugin.returncode == 0 else ["docker-compose"]


def refuses_without_secrets(command: list[str], env: Mapping[str, str]) -> None:
    bare = {name: value for name, value in env.items() if name not in ("POSTGRES_PASSWORD", "RAY_AUTH_TOKEN")}
    with tempfile.NamedTemporaryFile() as empty:
        done = run([*command, "--env-file", empty.name, "config", "-q"], bare, check=False, capture_output=True)
    assert done.returncode != 0, "it must not start without secrets"
    assert "POSTGRES_PASSWORD" in done.stderr + done.stdout
    say("refused without secrets")


def walk(url: str, mlflow_url: str, folder: Path) -> None:
    """One small job, from the request to the checked bundle."""
    with Client(url) as client:
        deadline = time.monotonic() + START_S
        while not client.ready():
            assert time.monotonic() < deadline, f"not ready after {START_S:g} s"
            time.sleep(1)
        say("ready")
        budget = {"trials": 4, "epochs": 2}
        alone = {"top": 1, "seeds": 1, "epochs": 2, "baseline": False, "random_arm": False, "fidelity": 0}
        job = client.submit(dataset="digits", name="compose", space="tiny", budget=budget, finalists=alone)
        with view(sys.stdout) as shown:
            job = client.wait(job.id, timeout_s=JOB_S, on_update=shown.show)
        assert job.state == "succeeded", f"{job.state}: {job.reason}"
        assert job.progress.done >= 4
        assert job.mlflow_url is not None
        assert job.mlflow_url.startswith(mlflow_url)
        experiment = job.mlflow_url.split("/experiments/")[1].split("/")[0]
        found = httpx.post(f"{mlflow_url}/api/2.0/mlflow/runs/search", json={"experiment_ids": [experiment]}).json()
        assert len(found["runs"]) >= 5, "one run for the job and one for each trial"
        say(f"MLflow has {len(found['runs'])} runs")
        report = demo.check(client.download_bundle(job.id, folder / "bundle.zip"))
    for line in demo.summary_lines(report):
        say(line)


def main() -> None:
    port, mlflow_port = free_ports(2)
    secret = {"POSTGRES_PASSWORD": secrets.token_hex(16), "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with engine() as env, tempfile.TemporaryDirectory() as folder:
        command = compose(env)
        refuses_without_secrets(command, env)
        command += ["-p", f"archsmith-test-{secrets.token_hex(3)}"]
        env |= secret | {"ARCHSMITH_PORT": str(port), "ARCHSMITH_MLFLOW_PORT": str(mlflow_port)}
        try:
            run([*command, "build"], env)
            run([*command, "up", "-d"], env)
            up = set(run([*command, "ps", "--services"], env, capture_output=True).stdout.split())
            assert up == SERVICES, f"running: {sorted(up)}"
            walk(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{mlflow_port}", Path(folder))
        except BaseException:
            run([*command, "logs", "--no-color", "--tail", "60"], env, check=False)
            raise
        finally:
            run([*command, "down", "-v", "--timeout", "20"], env, check=False)
    say("passed")


if __name__ == "__main__":
    main()
