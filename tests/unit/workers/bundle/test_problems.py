"""Bundles of every problem: `predict`, `model.py`, `verify`, card and MLflow's loader say the same of the outputs."""

import json
import sys
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archsmith.errors import InvalidBundle
from tests.bundle.made import REPORT, preprocessing, small, small_bundle, trained
from workers import bundle
from workers.bundle.card import card
from workers.bundle.code import model_source
from workers.bundle.manifest import Manifest
from workers.bundle.outputs import READINGS, AnyLabels
from workers.bundle.predict import main
from workers.bundle.torch_only import meant
from workers.bundle.verify import verify
from workers.conventions import PROBLEMS
from workers.wording import WORDING, counted

MEAN, STD = (200.0, -3.0, 0.0), (50.0, 0.25, 1e6)
GIVEN: dict[str, dict[str, Any]] = {
    "ordinal": {},
    "multilabel": {"labels": ("cat", "dog", "bird")},
    "regression": {"labels": ("age", "tilt", "mass"), "target_mean": MEAN, "target_std": STD},
}
problems = pytest.mark.parametrize("problem", GIVEN)
Printed = pytest.CaptureFixture[str]


def given(problem: str) -> bundle.Preprocessing:
    return preprocessing(small("image"), problem=problem, **GIVEN[problem])


def meaning(problem: str, logits: torch.Tensor) -> torch.Tensor:
    if problem == "regression":
        return logits * torch.tensor(STD) + torch.tensor(MEAN)
    return logits.sigmoid() if problem == "multilabel" else logits.softmax(1)


def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 17, (2, 1, 8, 6)).astype(np.uint8)


def expected(problem: str) -> np.ndarray:
    """Of `pictures`, by the network itself."""
    x = torch.from_numpy(Manifest.of(small("image"), given(problem), {}).prepared(pictures()))
    with torch.no_grad():
        return meaning(problem, trained(small("image"))(x)).numpy()


def assert_alike(found: np.ndarray, problem: str) -> None:
    """Within a hundred-thousandth of a probability, or of a target's deviation."""
    unit = np.array(STD) if problem == "regression" else 1.0
    np.testing.assert_allclose(found / unit, expected(problem) / unit, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    report = {
        **REPORT,
        "score": "r2",
        "measures": {"r2": -0.25, "mae": 12345.678, "rmse": 0.00012},
        "final_score": -0.25,
    }
    folder = tmp_path_factory.mktemp("bundles")
    return {
        problem: small_bundle(folder / problem, "image", preprocessing=given(problem), report=report)
        for problem in GIVEN
    }


@pytest.mark.heavy
@problems
def test_predict_answers_in_what_the_problem_asks_for(
    bundles: dict[str, Path], tmp_path: Path, capsys: Printed, problem: str
) -> None:
    np.save(tmp_path / "two.npy", pictures())
    assert main([str(bundles[problem]), str(tmp_path / "two.npy"), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    key = {"ordinal": "classes", "multilabel": "labels", "regression": "values"}[problem]
    found = np.array([[row[key][name] for name in given(problem).labels] for row in rows])
    assert_alike(found, problem)
    if problem == "multilabel":
        assert [set(row["present"]) for row in rows] == [
            {name for name, p in row["labels"].items() if p >= 0.5} for row in rows
        ]
    assert main([str(bundles[problem]), str(tmp_path / "two.npy")]) == 0
    line = capsys.readouterr().out.splitlines()[0]
    if problem == "regression":
        values = dict(zip(given(problem).labels, found[0], strict=True))
        assert line == "two.npy[0]: " + ", ".join(f"{name} {value:.6g}" for name, value in values.items())


def test_a_sample_has_any_number_of_labels() -> None:
    answer = AnyLabels(what="a", labels={"cat": 0.93, "dog": 0.5, "bird": 0.3, "fish": 0.1})
    assert answer.line(3) == "a: cat 0.9300, dog 0.5000; below 0.5: bird 0.3000"
    assert answer.line(1) == "a: cat 0.9300, dog 0.5000", "all that it has, whatever is asked"
    assert AnyLabels(what="a", labels={"fish": 0.1}).line(3) == "a: none; below 0.5: fish 0.1000"
    assert answer.to_json()["present"] == ["cat", "dog"]


@problems
def test_large_outputs_have_an_answer_without_a_warning(problem: str) -> None:
    manifest = Manifest.of(small("image"), given(problem), {})
    found = READINGS[problem].values(np.array([[-1e4, 0.0, 1e4]], np.float32), manifest)
    assert np.isfinite(found).all()


@pytest.mark.heavy
@pytest.mark.parametrize("problem", [pytest.param("multilabel", marks=pytest.mark.slow), "regression"])
def test_a_bundle_is_what_it_claims(bundles: dict[str, Path], problem: str) -> None:
    checks = {check.what: check for check in verify(bundles[problem])}
    assert [check for check in checks.values() if check.ok is not True] == []
    assert {"model.py: predict", "model.onnx", "model.pt2", "weights.safetensors"} <= checks.keys()


@problems
def test_model_py_gives_what_predict_does(tmp_path: Path, problem: str) -> None:
    path = tmp_path / "model.py"
    path.write_text(model_source(small("image"), given(problem)))
    spec = spec_from_file_location(f"bundle_of_{problem}", path)
    assert spec is not None
    assert spec.loader is not None
    model = module_from_spec(spec)
    spec.loader.exec_module(model)
    found = model.predict(trained(small("image")), torch.from_numpy(pictures())).numpy()
    assert_alike(found, problem)
    assert given(problem).labels == tuple(model.LABELS)


@problems
def test_a_wrong_answer_of_model_py_is_seen_whatever_the_units(problem: str) -> None:
    """A thousandth of a standard deviation, of a target with a mean of 0 and a large unit or a large mean."""
    logits = torch.tensor([[0.0, 0.1, -0.2]])
    manifest = Manifest.of(small("image"), given(problem), {}).to_json()
    answers, unit = meant(logits, manifest)
    torch.testing.assert_close(answers, meaning(problem, logits))
    off = (meaning(problem, logits + 1e-3 * torch.tensor([[1.0, -1.0, 1.0]])) - answers).abs() / unit
    assert 1e-5 < float(off.max()) < 2e-3


@problems
def test_the_manifest_is_read_as_it_was_written(problem: str) -> None:
    manifest = Manifest.of(small("image"), given(problem), {})
    document = json.loads(json.dumps(manifest.to_json()))
    assert document["problem"] == problem
    assert ("target_mean" in document) == (problem == "regression")
    assert Manifest.from_json(document, list(given(problem).labels)) == manifest


def test_a_bundle_of_an_earlier_version_is_of_classes() -> None:
    manifest = Manifest.of(small("image"), preprocessing(small("image")), {})
    document = manifest.to_json()
    del document["problem"]
    assert Manifest.from_json(document, list(manifest.preprocessing.labels)) == manifest


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"problem": "poetry"}, "problem must be one of classification"),
        ({"target_std": [1.0]}, "target_mean and target_std must have 3 numbers each"),
        ({"target_mean": ["a", 1, 2]}, "target_mean must be a number"),
    ],
)
def test_a_manifest_with_other_targets_is_refused(change: dict[str, Any], says: str) -> None:
    manifest = Manifest.of(small("image"), given("regression"), {})
    with pytest.raises(InvalidBundle, match=says):
        Manifest.from_json({**manifest.to_json(), **change}, list(manifest.preprocessing.labels))


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        ("ordinal", ["A classifier of images into ordered classes found by", "3 ordered classes", "classifies files"]),
        ("multilabel", ["with any number of labels each", "3 labels", "names the labels of files", "a sigmoid makes"]),
        (
            "regression",
            [
                "A regression model for images found by", "3 targets", "estimates the targets for files",
                "| R² (`final_score`) | -0.2500 |", "| mean absolute error | 12346 | the same trainings, in the units",
                "age 200 ± 50; tilt -3 ± 0.25; mass 0 ± 1e+06", "output · `target_std` + `target_mean`",
            ],
        ),
    ],
)  # fmt: skip
def test_the_card_tells_what_the_model_gives(problem: str, says: list[str]) -> None:
    report = {**REPORT, "score": "r2", "measures": {"r2": -0.25, "mae": 12345.678, "rmse": 0.5}, "final_score": -0.25}
    manifest = Manifest.of(small("image"), given(problem), {})
    text = card(small("image"), manifest, report, code="", files=[])
    assert [line for line in says if line not in text] == []
    assert "class probabilities" not in text


@problems
def test_a_provisional_bundle_tells_the_same(tmp_path: Path, problem: str) -> None:
    """Its score may be below 0, and its manifest and `model.py` are those of the final one."""
    worth = bundle.Provisional(trial=3, epochs=1, epochs_total=2, score="r2", search_score=-0.75, missing=("all else",))
    about = {name: REPORT[name] for name in ("job", "dataset", "trials", "search_seconds")} | {"score": "r2"}
    made = bundle.publish_provisional(
        tmp_path, architecture=small("image"), weights=b"", preprocessing=given(problem), report=about,
        provisional=worth,
    )  # fmt: skip
    with zipfile.ZipFile(made.path) as archive:
        text, document = archive.read("model_card.md").decode(), json.loads(archive.read("bundle.json"))
        assert archive.read("model.py").decode() == model_source(small("image"), given(problem))
    assert "| R² (`search_score`) | -0.7500 | validation split, these weights" in text
    assert WORDING[problem].columns in text
    assert Manifest.from_json(document, list(given(problem).labels)).problem == problem


def test_every_problem_has_words_and_a_meaning() -> None:
    known = set(PROBLEMS) - {"segmentation"}
    assert known <= set(WORDING)
    assert known <= set(READINGS)
    assert (counted("regression", 1), counted("multilabel", 5)) == ("1 target", "5 labels")


@pytest.mark.heavy
@problems
def test_mlflow_loads_what_predict_gives(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: str
) -> None:
    from mlflow import pyfunc

    from workers.tracking.mlmodel import LOADER, mlflow_files

    monkeypatch.setattr(sys, "path", [*sys.path])  # MLflow puts the model's code on it, for good
    monkeypatch.delitem(sys.modules, LOADER, raising=False)
    with zipfile.ZipFile(bundles[problem]) as archive:
        archive.extractall(tmp_path)
    for name, text in mlflow_files(tmp_path, run="a" * 32, at=1_700_000_000_000).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    model = pyfunc.load_model(str(tmp_path))
    assert_alike(model.predict(pictures()), problem)
    assert str(model.metadata.signature.outputs) == "[Tensor('float32', (-1, 3))]"
