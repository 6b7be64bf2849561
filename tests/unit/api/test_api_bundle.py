"""The bundle of a job over HTTP: ranges, tags, and how long it lives."""

import shutil
import zipfile

from search.trial import JobState
from tests.unit.api.support import Service, check_problem


def test_the_bundle(service: Service) -> None:
    job = service.submit(name="digits-search")
    url = f"/v1/jobs/{job}/bundle"
    assert check_problem(service.get(url), 409, "not_ready")["state"] == "queued"
    folder = service.settings.job_folder(job)
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "bundle.zip", "w") as archive:
        archive.writestr("model_card.md", "x" * 1000)
    data = (folder / "bundle.zip").read_bytes()
    lease = service.ledger.claim("driver", 30)
    assert lease is not None
    assert check_problem(service.get(url), 409, "not_ready")["state"] == "running"
    service.ledger.finish_job(lease, JobState.SUCCEEDED, bundle_sha256="ab" * 32, bundle_bytes=len(data))
    answer = service.get(url)
    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["etag"] == f'"{"ab" * 32}"'
    assert answer.headers["content-disposition"] == f'attachment; filename="digits-search-{job[:8]}.zip"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    part = service.get(url, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, data[100:200])
    tag = answer.headers["etag"]
    for tags in (tag, "*", f'"other", W/{tag}'):
        unchanged = service.get(url, headers={"If-None-Match": tags})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)
    assert service.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    resumed = service.get(url, headers={"Range": "bytes=100-", "If-Range": tag})
    assert (resumed.status_code, resumed.content) == (206, data[100:])
    anew = service.get(url, headers={"Range": "bytes=100-", "If-Range": '"other"'})
    assert (anew.status_code, anew.content) == (200, data), "what was begun is another file's"
    for bad in (
        "bytes=9-1",
        f"bytes={len(data)}-",
        "bytes=x",
        "rows=1-2",
        "bytes=-",
        "bytes=" + "0-1," * 20,
        "bytes=-0",
    ):
        answer = service.get(url, headers={"Range": bad})
        check_problem(answer, 416, "range_invalid")
        assert answer.headers["content-range"] == f"bytes */{len(data)}"


def test_the_bundle_outlives_its_data_set(service: Service) -> None:
    job = service.submit()
    lease = service.ledger.claim("driver", 30)
    assert lease is not None
    folder = service.settings.job_folder(job)
    folder.mkdir(parents=True)
    (folder / "bundle.zip").write_bytes(b"PK")
    service.ledger.finish_job(lease, JobState.SUCCEEDED, bundle_sha256="ab" * 32, bundle_bytes=2)
    shutil.rmtree(service.settings.datasets)
    check_problem(service.post("/v1/jobs", json={"dataset": "gone", "space": "tiny"}), 422)
    assert service.get(f"/v1/jobs/{job}/bundle").content == b"PK"
    assert service.get(f"/v1/jobs/{job}").json()["state"] == "succeeded"
