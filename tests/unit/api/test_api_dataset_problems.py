"""The option `problem` of an upload, its errors, and the views of data sets that are no single classes."""

import io
from typing import Any

import numpy as np
import pytest

from search.ledger import DatasetRow
from tests.unit.api.support import Service, check_problem
from tests.unit.workers.sources import pixels
from workers.conventions import PROBLEMS
from workers.datasets import DataStore
from workers.datasets.raw import RawDataset

RNG = np.random.default_rng(0)


def view(service: Service, problem: str, y: np.ndarray, names: tuple[str, ...]) -> dict[str, Any]:
    """Of a data set that was added without a process of its own."""
    x = pixels(len(y), 1, 4, 4)
    raw = RawDataset(
        format="npz", pieces=(x,), dtype=x.dtype, y=y, class_names=names, parts={"train": (0, len(y))}, problem=problem
    )
    info = DataStore(service.settings.datasets).add(problem, raw)
    row = DatasetRow(name=info.name, format="npz", report=dict(info.report), bytes=info.bytes)
    service.ledger.put_dataset(row)
    found: dict[str, Any] = service.get(f"/v1/datasets/{problem}").json()
    assert found in service.get("/v1/datasets").json()["items"]
    return found


def test_the_view_of_numbers(service: Service) -> None:
    found = view(service, "regression", (np.arange(100)[:, None] / 2).astype(np.float32), ("age",))
    assert (found["problem"], found["classes"], found["class_names"]) == ("regression", 1, ["age"])
    (target,) = found["check"]["answers"]["targets"]
    assert (target["name"], target["least"], target["median"], target["largest"]) == ("age", 0.0, 24.75, 49.5)
    assert found["split_counts"] is None


def test_the_view_of_several_labels(service: Service) -> None:
    y = RNG.integers(0, 2, (100, 2)).astype(np.uint8)
    found = view(service, "multilabel", y, ("a", "b"))
    assert found["counts"] == y.sum(axis=0).tolist()
    assert found["check"]["answers"]["without"] == int((y.sum(axis=1) == 0).sum())
    assert sum(counts[0] for counts in found["split_counts"].values()) == found["counts"][0]


def test_the_view_of_masks(service: Service) -> None:
    found = view(service, "segmentation", RNG.integers(0, 2, (100, 4, 4)).astype(np.uint8), ("ground", "road"))
    assert (found["tasks"], sum(found["counts"])) == (["segmentation"], 1600)
    assert sum(found["check"]["answers"]["shares"]) == pytest.approx(1.0)
    assert found["check"]["answers"]["targets"] is None


def test_the_built_in_set_is_of_classes(service: Service) -> None:
    found = service.get("/v1/datasets/digits").json()
    assert (found["problem"], found["check"]["answers"]) == ("classification", None)


def npz(y: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, x=pixels(60, 4, 4), y=y)
    return out.getvalue()


def upload(service: Service, y: np.ndarray, **fields: str) -> Any:
    data = {"name": "mine", "format": "npz", **fields}
    return service.post("/v1/datasets", data=data, files={"file": ("a.npz", npz(y))})


def test_a_problem_that_there_is_not(service: Service) -> None:
    answer = upload(service, np.arange(60) % 3, problem="guess")
    error = check_problem(answer, 422, "choice_unknown")["errors"][0]
    assert (error["pointer"], set(error["allowed"])) == ("/problem", set(PROBLEMS))


@pytest.mark.heavy
def test_the_option_goes_to_the_reader_and_back(service: Service) -> None:
    answer = upload(service, np.array(["cat", "dog"] * 30), problem="regression")
    error = check_problem(answer, 422, "problem_unsuitable")["errors"][0]
    assert error["pointer"] == "/problem"
    assert "the text 'cat', which is no number" in error["detail"]
    made = upload(service, np.arange(60), problem="regression")
    assert made.status_code == 201, made.text
    assert made.json()["problem"] == "regression"
