"""The report of every problem: it fits its schema, tells errors in units, and renders as one page."""

from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from search.ledger import Ledger
from tests.unit.workers.report.test_contents import found, ledger  # noqa: F401  # the fixture
from workers.datasets import Dataset, DataStore
from workers.finalists.answered import OnTest, answered
from workers.report.contents import Findings, assemble
from workers.report.page import render
from workers.report.plots import against
from workers.report.schema import schema
from workers.report.trained import Trained
from workers.simple.record import SimpleScore, StageScores

NAMES = {
    "classification": ("one", "two", "three"),
    "ordinal": ("low", "mid", "high"),
    "multilabel": ("cat", "dog"),
    "regression": ("age",),
}
MEASURES = {
    "classification": {"accuracy": -0.1, "balanced_accuracy": 0.3},
    "ordinal": {"quadratic_kappa": -0.1, "accuracy": 0.4, "balanced_accuracy": 0.3},
    "multilabel": {"mean_average_precision": 0.6, "f1": 0.5},
    "regression": {"r2": -0.1, "mae": 12.5, "rmse": 20.25},
}
problems = pytest.mark.parametrize("problem", NAMES)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("datasets")
    DataStore(root).describe("digits")
    return root


def truth(problem: str, rows: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    if problem in ("classification", "ordinal"):
        return rng.integers(0, 3, rows)
    labels = (rng.random((rows, 2)) < 0.3).astype(np.uint8)
    return labels if problem == "multilabel" else rng.normal(40, 12, (rows, 1)).astype(np.float32)


def of_problem(dataset: Dataset, problem: str) -> Dataset:
    """Digits with other answers."""
    names = NAMES[problem]
    counts = (len(dataset.y),) * len(names)
    info = replace(dataset.info, problem=problem, class_names=names, classes=len(names), counts=counts)
    return replace(dataset, info=info, y=truth(problem, len(dataset.y)))


def told(dataset: Dataset, problem: str) -> dict[str, Any]:
    y = np.asarray(dataset.test.y)
    outputs = np.random.default_rng(1).normal(size=(len(y), len(NAMES[problem]))).astype(np.float32)
    made = answered(problem, OnTest(outputs=outputs, y=y, split=dataset.test))
    assert made is not None
    return made


def findings(ledger: Ledger, root: Path, problem: str, **changes: Any) -> Findings:  # noqa: F811
    """Of a job whose trainings all scored below 0."""
    plain = found(ledger, root, final={"finalist": 0.9, "baseline": 0.7, "random": 0.8, "fidelity": 0.6})
    dataset = of_problem(plain.dataset, problem)
    extra = told(dataset, problem)

    def turned(one: Trained) -> Trained:
        trainings = (
            replace(
                each,
                row=replace(each.row, test_score=each.score - 1),
                measures=MEASURES[problem],
                shares=None if each.shares is None else each.shares - 1,
                answered=extra,
            )
            for each in one.trainings
        )
        return replace(one, trainings=tuple(trainings))

    trained = [turned(one) for one in plain.trained]
    return replace(plain, dataset=dataset, trained=trained, winner=trained[0], **changes)


@problems
def test_a_report_of_any_problem_fits_its_schema_and_renders(
    ledger: Ledger, root: Path, problem: str  # noqa: F811
) -> None:  # fmt: skip
    report = assemble(findings(ledger, root, problem), ledger)
    jsonschema.Draft202012Validator(schema()).validate(report)
    assert (report["dataset"]["problem"], report["answers"]["problem"]) == (problem, problem)
    assert report["final_score"] == pytest.approx(-0.1)
    page = unescape(render(report))
    assert "final score -0.1000" in page
    for name in NAMES[problem]:
        assert name in page
    assert "<h2>Answers on the test split</h2>" in page
    assert ("3 classes)" in page) == (problem == "classification")


def test_errors_are_told_in_the_units_of_the_target(ledger: Ledger, root: Path) -> None:  # noqa: F811
    report = assemble(findings(ledger, root, "regression"), ledger)
    page = unescape(render(report))
    assert "mean absolute error 12.5, root mean squared error 20.25" in page
    assert report["gains"]["over_random"]["words"].endswith(
        "; mean absolute error 12.5 against 12.5; root mean squared error 20.25 against 20.25"
    )
    row = report["answers"]["targets"][0]
    assert f'<td class="n">{row["mae"]:.5g}</td>' in page
    assert page.count("Predicted against true values of age") == 2, "the title and the label of one plot"
    assert page.count('class="dot search"') >= 300
    assert "(image, 1 target)" in page
    assert report["data"]["split_counts"] is None


def test_labels_are_counted_in_each_split(ledger: Ledger, root: Path) -> None:  # noqa: F811
    made = findings(ledger, root, "multilabel")
    report = assemble(made, ledger)
    test = made.dataset.test.y
    assert report["data"]["split_counts"]["test"] == test.sum(0).tolist()
    assert [row["positives"] for row in report["answers"]["labels"]] == test.sum(0).tolist()
    assert '<th scope="col">label</th><th scope="col" class="n">train</th>' in render(report)


def test_a_poor_regression_below_a_simple_model_is_said_to_be(ledger: Ledger, root: Path) -> None:  # noqa: F811
    scores = {"linear": SimpleScore(score=-0.02, seconds=2.0), "boosted": SimpleScore(score=-3.5)}
    after = StageScores(scores=scores, trained=1438, of_trained=1438, measured=359, of_measured=359)
    report = assemble(findings(ledger, root, "regression", simple=(None, after)), ledger)
    jsonschema.Draft202012Validator(schema()).validate(report)
    assert report["simple_models"]["winner_below"] is True
    assert "it scores -0.1000 on the test split, and a linear model on simple features -0.0200" in render(report)


@pytest.mark.parametrize("value", [0.0, 1e12, -5.0])
def test_a_plot_of_one_value_has_a_scale(value: float) -> None:
    drawn = against(((value, value), (value, value)), name="<age>", x="true", y="predicted")
    assert "<title>Predicted against true values of &lt;age&gt;</title>" in drawn
    assert "nan" not in drawn
