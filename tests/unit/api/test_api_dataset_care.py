"""What the view of a data set tells, and removing and replacing data sets while jobs need them or not."""

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api import dataset_use
from api.dataset_use import changed, check_earlier
from archsmith.errors import AlreadyExists, InvalidInput
from search.ledger import DatasetRow
from search.spec import WarmStart
from search.trial import JobState
from tests.unit.api.support import Service, check_problem
from tests.unit.workers.sources import pixels, write_npz
from workers.datasets import DataStore, npz


@pytest.fixture
def cats(service: Service, tmp_path: Path) -> str:
    """The name of a data set of 40 pictures in two classes, one of them in both, added without a process of its own."""
    put(service, tmp_path, seed=0)
    return "cats"


def put(service: Service, tmp_path: Path, *, seed: int, store: DataStore | None = None) -> None:
    """Adds `cats` with other pictures for each seed. store: another one than the service's."""
    x, y = pixels(40, 3, 3, seed=seed), np.arange(40) % 2
    x[1] = x[0]
    scratch = tmp_path / f"scratch{seed}"
    scratch.mkdir()
    raw = npz.read(write_npz(tmp_path / f"{seed}.npz", x=x, y=y), scratch=scratch)
    info = (store or DataStore(service.settings.datasets)).add("cats", raw)
    service.ledger.put_dataset(DatasetRow(name="cats", format="npz", report=dict(info.report), bytes=info.bytes))


def remove(service: Service, name: str, **params: str) -> Any:
    return service.client.request("DELETE", f"/v1/datasets/{name}", params=params)


def succeeded(service: Service, **more: Any) -> str:
    """A job on `cats` that has succeeded."""
    job_id = str(service.submit(dataset="cats"))
    lease = service.ledger.claim("me", 60.0)
    assert lease is not None
    service.ledger.finish_job(lease, JobState.SUCCEEDED, bundle_sha256="ab" * 32, bundle_bytes=1, **more)
    return job_id


def test_the_view_has_the_check_with_examples(service: Service, cats: str) -> None:
    view = service.get(f"/v1/datasets/{cats}").json()
    findings = {one["rule"]: one for one in view["check"]["findings"]}
    assert findings.keys() == {"same_sample_two_classes", "repeats", "few_samples"} | findings.keys() & {
        "repeats_across_splits"
    }
    assert findings["same_sample_two_classes"]["examples"] == ["picture 0 = picture 1"]
    assert set(view["warnings"]) == {one["detail"] for one in view["check"]["findings"]}
    assert view["split_counts"] == {"train": [14, 14], "val": [2, 2], "test": [4, 4]}
    assert view["columns"] == []
    assert view["class_names"] == ["0", "1"]


def test_a_data_set_from_before_the_check_is_shown(service: Service, cats: str) -> None:
    path = service.settings.datasets / cats / "meta.json"
    document = json.loads(path.read_text())
    del document["check"], document["split_counts"]
    path.write_text(json.dumps(document))
    view = service.get(f"/v1/datasets/{cats}").json()
    assert (view["check"], view["split_counts"]) == (None, None)
    assert view["warnings"] == ["1 samples are byte for byte repeats of others"]


def test_a_job_posted_while_its_data_set_is_removed_is_refused(
    service: Service, cats: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_use, "check_earlier", lambda *_: remove(service, cats))  # the last step before
    [fault] = check_problem(service.post("/v1/jobs", json={"dataset": cats, "space": "tiny"}), 422)["errors"]
    assert (fault["pointer"], fault["rule"]) == ("/dataset", "dataset_not_found")
    assert "the data set 'cats' was removed in this moment" in fault["detail"]
    assert service.ledger.jobs() == []


def test_a_job_posted_while_its_data_set_is_replaced_by_another_kind_is_refused(
    service: Service, cats: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def other(*_: Any) -> None:
        remove(service, cats)
        (tmp_path / "large").mkdir()
        raw = npz.read(
            write_npz(tmp_path / "b.npz", x=pixels(40, 9, 9), y=np.arange(40) % 2), scratch=tmp_path / "large"
        )
        DataStore(service.settings.datasets).add(cats, raw)

    monkeypatch.setattr(dataset_use, "check_earlier", other)
    [fault] = check_problem(service.post("/v1/jobs", json={"dataset": cats, "space": "tiny"}), 422)["errors"]
    assert fault["rule"] == "dataset_replaced"
    assert service.ledger.jobs() == []


def test_a_removed_name_is_free(service: Service, cats: str, tmp_path: Path) -> None:
    answer = remove(service, cats)
    assert (answer.status_code, answer.content) == (204, b"")
    check_problem(service.get(f"/v1/datasets/{cats}"), 404, "not_found")
    check_problem(remove(service, cats), 404, "not_found")
    assert sorted(path.name for path in service.settings.datasets.iterdir()) == ["digits"]
    assert service.ledger.datasets() == []
    put(service, tmp_path, seed=1)
    check_problem(service.client.request("DELETE", "/v1/datasets/cats", params={"force": "yes"}), 422)


def test_the_built_in_data_set_stays(service: Service) -> None:
    check_problem(remove(service, "digits", force="true"), 409, "dataset_built_in")


@pytest.mark.parametrize("state", ["queued", "running", "paused"])
def test_a_data_set_stays_while_a_job_uses_it(service: Service, cats: str, state: str) -> None:
    job_id = service.submit(dataset=cats)
    if state == "running":
        assert service.ledger.claim("me", 60.0)
    elif state == "paused":
        service.post(f"/v1/jobs/{job_id}/pause")
    body = check_problem(remove(service, cats, force="true"), 409, "dataset_in_use")
    assert (body["state"], body["allowed"], body["jobs"]) == (state, ["succeeded", "failed", "cancelled"], [job_id])
    assert job_id in body["detail"]
    body = check_problem(upload(service, replace="true", force="true"), 409, "dataset_in_use")
    assert "cannot be replaced" in body["detail"]
    assert service.get(f"/v1/datasets/{cats}").status_code == 200
    if state != "running":
        service.post(f"/v1/jobs/{job_id}/cancel")
        assert remove(service, cats).status_code == 204


def test_what_succeeded_jobs_need_goes_by_force_only(service: Service, cats: str) -> None:
    job_id = succeeded(service)
    body = check_problem(remove(service, cats), 409, "dataset_in_use")
    assert (body["state"], body["allowed"], body["jobs"]) == ("succeeded", ["failed", "cancelled"], [job_id])
    assert "force=true" in body["detail"]
    assert service.get(f"/v1/jobs/{job_id}").json()["dataset_changed"] is None
    assert remove(service, cats, force="true").status_code == 204
    view = service.get(f"/v1/jobs/{job_id}").json()
    assert view["state"] == "succeeded"
    assert "'cats' was removed" in view["dataset_changed"]
    folder = service.settings.job_folder(job_id)
    folder.mkdir(parents=True)
    (folder / "bundle.zip").write_bytes(b"PK")
    check_problem(service.post(f"/v1/jobs/{job_id}/compress", json={}), 422, "dataset_not_found")


def test_jobs_on_other_data_of_the_name_are_no_start(service: Service, cats: str, tmp_path: Path) -> None:
    job_id = succeeded(service)
    job = service.ledger.job(job_id)
    context = service.client.app.state.context
    spec = dataclasses.replace(job.spec, warm_start=WarmStart(jobs=(job_id,)), init_from=job_id)
    check_earlier(context, spec)
    assert remove(service, cats, force="true").status_code == 204
    put(service, tmp_path, seed=1)
    with pytest.raises(InvalidInput) as caught:
        check_earlier(context, spec)
    assert [fault.pointer for fault in caught.value.faults] == ["/warm_start/jobs/0", "/init_from"]
    assert "was replaced after this job had ended" in str(caught.value)
    check_earlier(context, dataclasses.replace(spec, dataset="digits"))


def upload(service: Service, *, seed: int = 5, **fields: str) -> Any:
    file = io.BytesIO()
    np.savez(file, x=pixels(60, 3, 3, seed=seed), y=np.arange(60) % 3)
    form = {"name": "cats", "format": "npz", **fields}
    return service.post("/v1/datasets", data=form, files={"file": ("c.npz", file.getvalue())})


@pytest.mark.heavy
def test_a_replaced_data_set_is_another_and_jobs_say_so(service: Service, cats: str) -> None:
    before = service.get(f"/v1/datasets/{cats}").json()
    job_id = succeeded(service)
    report = service.settings.job_folder(job_id) / "bundle" / "report.json"
    report.parent.mkdir(parents=True)
    report.write_text(json.dumps({"dataset": {"sha256": before["sha256"]}}))
    (report.parent.parent / "bundle.zip").write_bytes(b"PK")
    assert "replace=true" in check_problem(upload(service), 409, "already_exists")["detail"]
    check_problem(upload(service, replace="true"), 409, "dataset_in_use")
    check_problem(upload(service, replace="perhaps"), 422)
    answer = upload(service, replace="true", force="true")
    assert answer.status_code == 201, answer.text
    view = service.get(f"/v1/datasets/{cats}").json()
    assert view == answer.json()
    assert (view["classes"], before["classes"]) == (3, 2)
    assert view["created_at"] > before["created_at"]
    assert sorted(path.name for path in service.settings.datasets.iterdir()) == ["cats", "digits"]
    says = service.get(f"/v1/jobs/{job_id}").json()["dataset_changed"]
    assert before["sha256"][:16] in says
    assert view["sha256"][:16] in says
    check_problem(service.post(f"/v1/jobs/{job_id}/compress", json={}), 422, "dataset_replaced")
    body = {"budget": {"trials": 50}}
    check_problem(service.patch(f"/v1/jobs/{job_id}", json=body), 422, "dataset_replaced")
    report.write_text(json.dumps({"dataset": {"sha256": view["sha256"]}}))
    assert changed_words(service, job_id) is None, "the same content again"


def changed_words(service: Service, job_id: str) -> str | None:
    return changed(service.client.app.state.context, service.ledger.job(job_id))


@pytest.mark.heavy
def test_files_that_are_refused_leave_the_old_data_set(service: Service, cats: str) -> None:
    before = service.get(f"/v1/datasets/{cats}").json()
    form = {"name": "cats", "format": "npz", "replace": "true"}
    check_problem(service.post("/v1/datasets", data=form, files={"file": ("c.npz", b"no zip")}), 422)
    assert service.get(f"/v1/datasets/{cats}").json() == before
    assert sorted(path.name for path in service.settings.datasets.iterdir()) == ["cats", "digits"]


def test_a_row_left_by_hand_is_replaced(service: Service, cats: str) -> None:
    with pytest.raises(AlreadyExists):
        service.ledger.add_dataset(DatasetRow(name=cats, format="idx", report={}, bytes=1))
    service.ledger.put_dataset(DatasetRow(name=cats, format="idx", report={}, bytes=1))
    assert service.ledger.dataset(cats).format == "idx"
    assert service.ledger.jobs_on_dataset(cats, list(JobState)) == []
