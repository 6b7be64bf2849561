"""Adding data sets by upload and by path, valid and invalid ones."""

import io
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api import ingestion
from api.app import create_app
from api.http.middleware import Edge
from api.routes.datasets import OPTIONS
from api.schemas.requests import DatasetRequest, UploadFields
from archsmith import formats
from archsmith.errors import InvalidDataset
from search.validate import Pool
from tests.unit.api.support import Service, check_problem, local
from tests.unit.workers.graph_sources import graph_tables, masks, write_graph, write_tu
from workers.datasets import ingest


def _npz(**arrays: Any) -> bytes:
    rng = np.random.default_rng(0)
    good = {"x": rng.integers(0, 255, (60, 8, 8), dtype=np.uint8), "y": np.arange(60) % 3}
    file = io.BytesIO()
    np.savez_compressed(file, **{**good, **arrays})
    return file.getvalue()


def _upload(service: Service, data: bytes, *, name: str = "mine", kind: str = "npz", label: str = "mine.npz") -> Any:
    return service.post("/v1/datasets", data={"name": name, "format": kind}, files={"file": (label, data)})


def _left(service: Service) -> list[Path]:
    return list((service.settings.state / "uploads").glob("*"))


def test_every_option_that_is_taken_is_passed_on() -> None:
    about = {"name", "format", "path", "replace", "force"}
    for model in (UploadFields, DatasetRequest):
        assert set(OPTIONS) == model.model_fields.keys() - about


def test_the_built_in_data_set(service: Service) -> None:
    found = service.get("/v1/datasets").json()["items"]
    assert [item["name"] for item in found] == ["digits"]
    assert found[0]["input_shape"] == [1, 8, 8]
    assert found[0]["classes"] == 10
    assert service.get("/v1/datasets/digits").json() == found[0]
    for name in ("nothing", "..", "%2e%2e", "a b", ".hidden", "x" * 300):
        check_problem(service.get(f"/v1/datasets/{name}"), 404, "not_found")


@pytest.mark.heavy
def test_jobs_can_use_an_uploaded_data_set(service: Service) -> None:
    answer = _upload(service, _npz(), label="../../etc/passwd")
    assert answer.status_code == 201, answer.text
    view = answer.json()
    assert answer.headers["location"] == "/v1/datasets/mine"
    assert (view["classes"], view["input_shape"]) == (3, [1, 8, 8])
    assert view["created_at"].endswith("Z")
    assert service.get("/v1/datasets/mine").json() == view
    assert _left(service) == []
    check_problem(_upload(service, _npz()), 409, "already_exists")
    assert service.submit(dataset="mine")


def test_every_format_has_a_reader() -> None:
    assert tuple(ingest.FORMATS) == formats.FORMATS


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["npz", "series", "graph", "tables", "tu"])
def test_volumes_series_and_graphs_can_be_uploaded(service: Service, tmp_path: Path, kind: str) -> None:
    tables = [("file", (name, content)) for name, content in graph_tables().items()]
    volumes = _npz(x=np.zeros((60, 18, 19, 20), np.uint8))
    files = {
        "npz": [("file", ("v.npz", volumes))],
        "series": [("file", ("s.npz", _npz(x=np.zeros((60, 40), np.uint8))))],
        "graph": [("file", ("a.npz", write_graph(tmp_path / "a.npz", **masks()).read_bytes()))],
        "tables": tables,
        "tu": [("file", ("DS.zip", write_tu(tmp_path / "a.zip").read_bytes()))],
    }[kind]
    fields = {"name": "mine", "format": {"tables": "graph", "series": "npz"}.get(kind, kind)}
    fields |= {"kind": "series"} if kind == "series" else {}
    answer = service.post("/v1/datasets", data=fields, files=files)
    assert answer.status_code == 201, answer.text
    view = answer.json()
    assert (view["kind"], view["tasks"], view["input_shape"]) == {
        "npz": ("volume", ["volume"], [1, 18, 19, 20]),
        "series": ("series", ["series"], [1, 40]),
        "graph": ("graph", ["nodes", "links"], [9]),
        "tables": ("graph", ["nodes", "links"], [9]),
        "tu": ("graph", ["graphs"], [3]),
    }[kind]
    assert service.get("/v1/datasets/mine").json() == view


@pytest.mark.heavy
def test_an_invalid_graph_is_explained(service: Service) -> None:
    fields = {"name": "mine", "format": "graph"}
    answer = service.post("/v1/datasets", data=fields, files={"file": ("a.npz", _npz())})
    (fault,) = check_problem(answer, 422)["errors"]
    assert (fault["rule"], fault["pointer"]) == ("array_missing", "/files/a.npz")
    for more, rule, pointer in (
        ({}, "file_missing", "/files/edges.csv"),
        ({"image_size": "8"}, "combination_unsupported", "/image_size"),
    ):
        answer = service.post("/v1/datasets", data=fields | more, files={"file": ("nodes.csv", b"node\n")})
        (fault,) = check_problem(answer, 422)["errors"]
        assert (fault["rule"], fault["pointer"]) == (rule, pointer)


@pytest.mark.heavy
def test_corrupt_files_are_explained_and_nothing_is_kept(service: Service) -> None:
    for data in (b"", b"not a zip", _npz()[:-100], _npz(y=np.zeros(59, dtype=np.int64))):
        body = check_problem(_upload(service, data), 422)
        assert body["errors"]
    assert service.get("/v1/datasets/mine").status_code == 404
    assert _left(service) == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"format": "npz"}, "/name"),
        ({"name": "mine"}, "/format"),
        ({"name": "mine", "format": "pickle"}, "/format"),
        ({"name": "../mine", "format": "npz"}, "/name"),
        ({"name": "mine", "format": "npz", "colour": "red"}, "/colour"),
        ({"name": "mine", "format": "npz", "image_size": "big"}, "/image_size"),
        ({"name": "mine", "format": "npz", "kind": "sound"}, "/kind"),
    ],
)
def test_fields_of_an_upload(service: Service, fields: dict[str, str], pointer: str) -> None:
    answer = service.post("/v1/datasets", data=fields, files={"file": ("x.npz", b"x")})
    assert pointer in {fault["pointer"] for fault in check_problem(answer, 422)["errors"]}


def _raw(service: Service, body: bytes | list[bytes], boundary: str = "; boundary=b") -> Any:
    return service.post("/v1/datasets", content=body, headers={"Content-Type": f"multipart/form-data{boundary}"})


GOOD = (
    b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nmine\r\n'
    b'--b\r\nContent-Disposition: form-data; name="format"\r\n\r\nnpz\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.npz"\r\n\r\nabc\r\n--b--\r\n'
)


@pytest.mark.parametrize(
    ("body", "boundary"),
    [
        (GOOD, ""),
        (GOOD, "; boundary="),
        (GOOD, "; boundary=c"),
        (GOOD, "; boundary=" + "b" * 300),
        (b"", "; boundary=b"),
    ],
)
def test_invalid_multipart(service: Service, body: bytes, boundary: str) -> None:
    check_problem(_raw(service, body, boundary), 400, "multipart_invalid")
    assert _left(service) == []


def test_an_interrupted_upload_leaves_nothing(service: Service) -> None:
    for end in range(0, len(GOOD) - 4, 7):
        check_problem(_raw(service, [GOOD[:end]]), 400, "multipart_invalid")
    assert _left(service) == []
    assert service.get("/v1/datasets/mine").status_code == 404


def test_parts_without_end_and_without_file(service: Service) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="a%d"\r\n\r\nx\r\n'
    many = b"".join(part % number for number in range(40)) + b"--b--\r\n"
    check_problem(_raw(service, many), 422, "too_many_parts")
    check_problem(_raw(service, GOOD.replace(b'; filename="x.npz"', b"")), 422)
    check_problem(_raw(service, GOOD.replace(b"mine", b"m" * 5000)), 422)
    check_problem(_raw(service, GOOD.replace(b"form-data; name=", b"form-data; nome=")), 400, "multipart_invalid")


def test_an_upload_above_the_limit(service: Service) -> None:
    data = np.random.default_rng(0).bytes(300_000)
    check_problem(_upload(service, data), 413, "body_too_large")
    slack = GOOD.replace(b"abc", data[:220_000])  # within the slack for headers, above the limit for files
    check_problem(_raw(service, [slack]), 413, "body_too_large")
    assert _left(service) == []


@pytest.mark.heavy
def test_a_path_must_lie_below_a_root(service: Service, tmp_path: Path) -> None:
    folder = service.settings.data_roots[0]
    (folder / "good.npz").write_bytes(_npz())
    (tmp_path / "outside.npz").write_bytes(_npz())
    (folder / "link.npz").symlink_to(tmp_path / "outside.npz")
    (folder / "loop").symlink_to(folder / "loop")
    root = str(folder)

    def register(path: str) -> Any:
        return service.post("/v1/datasets", json={"name": "bypath", "format": "npz", "path": path})

    bad = [
        f"{root}/../outside.npz",
        f"{root}/link.npz",
        "good.npz",
        "/etc/passwd",
        f"{root}-x/good.npz",
        "/",
        "x" * 4000,
    ]
    for path in [*bad, f"{root}/" + "x" * 3000, f"{root}/loop/x"]:
        body = check_problem(register(path), 422, "path_not_allowed")
        assert "ARCHSMITH_DATA_ROOTS" in body["detail"]
    check_problem(register(f"{root}/absent.npz"), 422, "path_not_found")
    assert register(f"{root}/good.npz").status_code == 201


@pytest.mark.parametrize(("number", "says"), [(signal.SIGKILL, "more memory"), (signal.SIGSEGV, "they are damaged")])
def test_a_reader_that_is_killed_is_explained(number: int, says: str) -> None:
    child = subprocess.CompletedProcess([], -number, stdout=b"Killed")
    with pytest.raises(InvalidDataset, match=says) as caught:
        ingestion._check(child, "mine")
    assert caught.value.faults[0].rule == "reader_ended"


def test_an_unsupported_media_type(service: Service) -> None:
    answer = service.post("/v1/datasets", content=b"PK", headers={"Content-Type": "application/zip"})
    check_problem(answer, 415, "media_type_unsupported")


def test_left_over_uploads_are_removed_at_start(service: Service) -> None:
    left = service.settings.state / "uploads" / "upload-x"
    left.mkdir(parents=True)
    (left / "half.npz").write_bytes(b"PK")
    with local(create_app(service.settings, service.ledger, edge=Edge(pool=Pool(cpus=1, gpus=0)))):
        assert not left.exists()
