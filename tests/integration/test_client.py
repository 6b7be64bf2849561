"""The client and the command against the real API on a real socket: both sides mean the same by the same words."""

import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from api.app import create_app
from api.http.middleware import Edge
from archsmith import Client, ConflictError, InvalidInputError, NotFoundError, cli
from archsmith.commands import watching
from archsmith.serving import free_ports
from search.ledger import Ledger, open_ledger
from search.trial import JobState
from search.validate import Pool
from workers.settings import Settings

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Service:
    url: str
    ledger: Ledger
    settings: Settings


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    state = tmp_path_factory.mktemp("state")
    (state / "data").mkdir()
    settings = Settings(state=state, database_url=f"sqlite:///{state / 'a.db'}", data_roots=(state / "data",))
    ledger = open_ledger(settings.database_url)
    app = create_app(settings, ledger, edge=Edge(pool=Pool(cpus=2, gpus=0)))
    (port,) = free_ports(1)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    url = f"http://127.0.0.1:{port}"
    with Client(url) as client:
        while not client.ready():
            assert thread.is_alive()
            time.sleep(0.05)
    yield Service(url, ledger, settings)
    server.should_exit = True
    thread.join()
    ledger.close()


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url) as one:
        yield one


def finish(service: Service, job_id: str, bundle: bytes) -> str:
    """What a driver does at the end; returns the bundle's SHA-256."""
    while (lease := service.ledger.claim("test", 60)) is not None and lease.job_id != job_id:
        service.ledger.finish_job(lease, JobState.FAILED, "in the way of the test")
    assert lease is not None
    folder = service.settings.job_folder(job_id)
    folder.mkdir(parents=True)
    (folder / "bundle.zip").write_bytes(bundle)
    digest = hashlib.sha256(bundle).hexdigest()
    service.ledger.finish_job(
        lease, JobState.SUCCEEDED, final_score=0.75, bundle_sha256=digest, bundle_bytes=len(bundle)
    )
    return digest


def test_a_job_and_its_steering(client: Client) -> None:
    job = client.submit(dataset="digits", space="tiny", name="mine", budget={"trials": 7}, key="one-key")
    assert (job.state, job.name, job.dataset, job.progress.trials_total) == ("queued", "mine", "digits", 7)
    again = client.submit(dataset="digits", space="tiny", name="mine", budget={"trials": 7}, key="one-key")
    assert again.id == job.id
    assert client.pause(job.id).state == "paused"
    assert client.resume(job.id).state == "queued"
    assert client.cancel(job.id).state == "cancelled"
    with pytest.raises(ConflictError, match="cancelled"):
        client.cancel(job.id)
    assert client.wait(job.id).finished
    assert [event.kind for event in client.events(job.id)]
    assert [event.id for event in client.events(job.id)] == list(range(1, len(list(client.events(job.id))) + 1))
    assert list(client.trials(job.id)) == []
    with pytest.raises(ConflictError, match="no trial has completed"):
        client.best(job.id)


def test_lists_are_whole_page_by_page(client: Client) -> None:
    posted = [client.submit(dataset="digits", space="tiny", name=f"page-{n}").id for n in range(5)]
    listed = [job.id for job in client.jobs(page=2)]
    assert listed[:5] == posted[::-1]
    assert len(set(listed)) == len(listed)
    assert {job.state for job in client.jobs(state="queued")} == {"queued"}
    for one in posted:
        client.cancel(one)


def test_refusals_carry_the_fault(client: Client) -> None:
    with pytest.raises(InvalidInputError) as caught:
        client.submit(dataset="digits", budget={"trials": 0}, spice="tiny")
    assert {fault.pointer for fault in caught.value.faults} == {"/budget/trials", "/spice"}
    with pytest.raises(InvalidInputError, match="no data set 'nothing'"):
        client.submit(dataset="nothing")
    with pytest.raises(NotFoundError):
        client.job("11111111-2222-3333-4444-555555555555")
    with pytest.raises(NotFoundError):
        client.job("../datasets")


def test_spaces(client: Client) -> None:
    assert {"chain", "branching", "tiny"} <= {preset["name"] for preset in client.spaces()}
    report = client.validate_space("tiny", dataset="digits")
    assert report["valid"]
    assert report["size"] > 50
    with pytest.raises(InvalidInputError) as caught:
        client.validate_space({"schema": 1, "stages": [{"widht": 3}]}, input_shape=[1, 8, 8], classes=2)
    assert caught.value.faults[0].pointer.startswith("/space")


def test_data_sets_by_upload_and_by_path(client: Client, service: Service, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {"x": rng.integers(0, 255, (90, 6, 6), dtype=np.uint8), "y": np.arange(90) % 3}
    np.savez(tmp_path / "mine.npz", **arrays)
    made = client.upload_dataset("mine", "npz", [tmp_path / "mine.npz"])
    assert (made.name, made.input_shape, made.classes) == ("mine", (1, 6, 6), 3)
    np.savez(service.settings.state / "data" / "there.npz", **arrays)
    there = client.register_dataset("there", "npz", str(service.settings.state / "data" / "there.npz"))
    assert there.classes == 3
    assert {"digits", "mine", "there"} <= {one.name for one in client.datasets()}
    with pytest.raises(ConflictError, match="already"):
        client.upload_dataset("mine", "npz", [tmp_path / "mine.npz"])
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InvalidInputError):
        client.upload_dataset("bad", "npz", [tmp_path / "bad.npz"])
    with pytest.raises(InvalidInputError):
        client.register_dataset("outside", "npz", "/etc/passwd")


def test_a_bundle_whole_and_in_pieces(client: Client, service: Service, tmp_path: Path) -> None:
    job = client.submit(dataset="digits", space="tiny")
    with pytest.raises(ConflictError, match="queued"):
        client.download_bundle(job.id, tmp_path / "b.zip")
    data = np.random.default_rng(1).bytes(300_000)
    digest = finish(service, job.id, data)
    assert hashlib.sha256(client.download_bundle(job.id, tmp_path / "b.zip").read_bytes()).hexdigest() == digest
    for size in (1, 150_000, 299_999, 300_000, 300_001):
        (tmp_path / f".c.zip.{job.id}.part").write_bytes((data + b"more")[:size])
        assert client.download_bundle(job.id, tmp_path / "c.zip").read_bytes() == data
    (tmp_path / f".c.zip.{job.id}.part").write_bytes(b"other bytes")
    assert cli.run(["--url", service.url, "download", job.id, "-o", str(tmp_path / "c.zip")]) == watching.OK
    assert (tmp_path / "c.zip").read_bytes() == data, "what is left of another bundle is fetched anew"
    assert client.job(job.id).final_score == 0.75
    assert list(client.events(job.id))[-1].kind.startswith("job_")


def test_events_arrive_while_a_job_lives(client: Client, service: Service) -> None:
    job = client.submit(dataset="digits", space="tiny")
    seen: list[str] = []
    follower = threading.Thread(target=lambda: seen.extend(e.kind for e in Client(service.url).events(job.id)))
    follower.start()
    time.sleep(0.3)
    assert follower.is_alive()
    client.cancel(job.id)
    follower.join(10)
    assert not follower.is_alive()
    assert len(seen) >= 2


def test_the_installed_command_speaks_to_it(service: Service) -> None:
    program = Path(sys.executable).with_name("archsmith")
    done = subprocess.run([program, "--url", service.url, "datasets"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].split()[0] == "NAME"
    assert any(line.startswith("digits ") for line in done.stdout.splitlines())
