"""What pages draw of a job, and trying its model."""

import base64
import io
import json
import shutil
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.trial import JobState
from tests import factories
from tests.bundle.made import small_bundle
from tests.unit.api.support import Service, check_problem

FAR = "00000000-0000-0000-0000-000000000000"


def _measured(service: Service, count: int) -> str:
    lease = factories.owned_job(service.ledger)
    example = service.post("/v1/spaces/validate", json={"space": "tiny", "dataset": "digits"}).json()["example"]
    for number in range(count):
        attempt = factories.running_trial(service.ledger, lease, number, architecture=example)
        for epoch in range(1, number + 1):
            service.ledger.add_measurement(lease, number, attempt, factories.measurement(epoch, score=epoch / 10))
    return lease.job_id


@pytest.mark.heavy
def test_all_learning_curves_in_one_request(service: Service) -> None:
    job = _measured(service, 4)
    whole = service.get(f"/v1/jobs/{job}/measurements").json()
    assert whole == {
        "items": [{"trial": n, "points": [[e, e / 10] for e in range(1, n + 1)]} for n in range(4)],
        "next": None,
    }
    page = service.get(f"/v1/jobs/{job}/measurements?limit=3").json()
    assert (page["items"], page["next"]) == (whole["items"][:3], "2")
    rest = service.get(f"/v1/jobs/{job}/measurements?after=2").json()
    assert rest == {"items": whole["items"][3:], "next": None}
    check_problem(service.get(f"/v1/jobs/{job}/measurements?after=x"), 400, "cursor_invalid")
    check_problem(service.get(f"/v1/jobs/{FAR}/measurements"), 404, "not_found")


@pytest.mark.heavy
def test_the_picture_of_a_trial(service: Service) -> None:
    job = _measured(service, 1)
    answer = service.get(f"/v1/jobs/{job}/trials/0/picture.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert ET.fromstring(answer.text).tag.endswith("svg")
    for unknown in ("1", "01", "x"):
        check_problem(service.get(f"/v1/jobs/{job}/trials/{unknown}/picture.svg"), 404, "not_found")


def _with_bundle(service: Service, made: Path) -> str:
    job, folder = _measured(service, 0), made
    lease_folder = service.settings.job_folder(job)
    lease_folder.mkdir(parents=True)
    shutil.copy(folder / "bundle.zip", lease_folder / "bundle.zip")
    with service.ledger._database.write() as connection:
        from search.ledger.tables import jobs

        connection.execute(jobs.update().values(state=JobState.SUCCEEDED, bundle_sha256="a" * 64))
    return job


@pytest.mark.heavy
def test_a_model_is_tried(service: Service, tmp_path: Path) -> None:
    small_bundle(tmp_path / "made", "image")
    job = _with_bundle(service, tmp_path / "made")
    x = np.zeros((2, 1, 8, 6), np.uint8)
    file = io.BytesIO()
    np.save(file, x)
    answer = service.post(f"/v1/jobs/{job}/predict", files={"file": ("some pictures.npy", file.getvalue())})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (len(found["rows"]), found["more"]) == (2, 0)
    assert sum(found["rows"][0]["classes"].values()) == pytest.approx(1.0)
    picture = io.BytesIO()
    Image.new("L", (6, 8)).save(picture, "PNG")
    answer = service.post(f"/v1/jobs/{job}/predict", files={"file": ("a.png", picture.getvalue())})
    assert answer.status_code == 200, answer.text
    body = check_problem(service.post(f"/v1/jobs/{job}/predict", files={"file": ("a.png", b"none")}), 422)
    assert "a.png" in json.dumps(body)
    check_problem(service.post(f"/v1/jobs/{job}/predict", data={"name": "x"}, files={}), 415)
    assert list((service.settings.state / "uploads").iterdir()) == []


@pytest.mark.heavy
def test_a_mask_comes_as_itself(service: Service, tmp_path: Path) -> None:
    made = small_bundle(tmp_path / "made", "segmentation")
    job = _with_bundle(service, tmp_path / "made")
    sides = json.loads(zipfile.ZipFile(made).read("bundle.json"))["input_shape"]
    file = io.BytesIO()
    np.save(file, np.zeros((1, *sides), np.uint8))
    answer = service.post(f"/v1/jobs/{job}/predict", files={"file": ("one.npy", file.getvalue())})
    assert answer.status_code == 200, answer.text
    kind, _, text = answer.json()["rows"][0]["mask"].partition(",")
    assert kind == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(text))).size == (sides[2], sides[1])
    assert list((service.settings.state / "uploads").iterdir()) == []


@pytest.mark.heavy
def test_there_is_nothing_to_try_before_a_score(service: Service) -> None:
    job = service.submit()
    check_problem(service.post(f"/v1/jobs/{job}/predict", files={"file": ("a.png", b"x")}), 409, "not_ready")
