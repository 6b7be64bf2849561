"""The report from a ledger's rows: it fits its schema, agrees with the rows, and renders as one page."""

import json
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from jinja2 import UndefinedError

from api.schemas.requests import JobRequest
from search.ledger import Finalist, Lease, Ledger
from search.planning.given import given_document
from search.planning.rule import make_plan
from search.planning.values import Plan, PlanInputs
from search.spec import SEARCH_S, Budget, ControllerSpec, FinalistSpec, JobSpec, TrialSpec, WarmStart
from search.trial import RANDOM, RANDOM_ARM, RANDOM_ARM_FROM, Outcome, TrialState
from space import presets
from tests.factories import completed, measurement, owned_job, running_trial
from tests.ledgers import new_ledger
from workers.datasets import DataStore
from workers.finalists.plan import plan, random_trials
from workers.finalists.selection import Selection, described
from workers.report.contents import Findings, assemble
from workers.report.document import again
from workers.report.page import render
from workers.report.schema import schema
from workers.report.trained import Trained, Training
from workers.simple.record import SimpleScore, StageScores
from workers.train.numerics import Numerics

SETTING = Numerics(precision="bf16", layout="nhwc", source="calibration")
SPEC: dict[str, Any] = {
    "space": presets.load("tiny"),
    "controller": ControllerSpec(name="reinforce", options={"entropy": 0.01}),
    "budget": Budget(trials=6, epochs=2, seconds=SEARCH_S),
    "finalists": FinalistSpec(top=2, seeds=3, fidelity=5),
    "name": "small",
}


PLAN = Plan(
    seconds=120.0, batch_size=32, pass_steps=35, final_pass_steps=44, rungs=(35, 105), share=1.0, resolution=None,
    architectures=6, final_steps=400, trainings=6, limit_s=15.0, start_s=5.0, search_s=60.0, arm_s=0.0, winner_s=20.0,
    turns_s=15.0, bundle_s=15.0, step_s=0.01, score_s=0.1,
)  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = new_ledger(f"sqlite:///{tmp_path / 'archsmith.db'}")
    yield ledger
    ledger.close()


def train(ledger: Ledger, lease: Lease, number: int, score: float | None, **changes: Any) -> None:
    attempt = running_trial(ledger, lease, number, hash=f"{number:032x}", **changes)
    if score is None:
        outcome = Outcome(number=number, state=TrialState.FAILED, reason="diverged: the loss is nan")
        ledger.finish_trial(lease, number, attempt, outcome)
        return
    for epoch in (1, 2):
        ledger.add_measurement(lease, number, attempt, measurement(epoch))
    ledger.finish_trial(lease, number, attempt, completed(number, score, epochs=2), score)


def full(rank: int, seed: int, mean: float) -> Training:
    """A training measured on 400 test samples; each further seed scores 0.01 higher."""
    hits = np.arange(400) < 400 * (mean + 0.01 * (seed - 1))
    row = Finalist(
        job_id="j", rank=rank, trial_number=rank, seed=seed, state="completed", test_score=float(hits.mean()), epochs=12
    )
    return Training(row=row, measures={"accuracy": float(hits.mean())}, shares=hits.astype(np.float32))


def found(ledger: Ledger, root: Path, *, final: dict[str, float], **changes: Any) -> Findings:
    """The findings of a finished job. final: mean final score by role."""
    lease = owned_job(ledger, **{**SPEC, **changes})
    for number, score in enumerate([0.6, 0.7, None, 0.8, 0.9]):
        train(ledger, lease, number, score, provenance="controller" if number else "baseline")
    for place, score in enumerate([0.65, 0.75]):
        train(ledger, lease, RANDOM_ARM_FROM + place, score, provenance=RANDOM_ARM)
    ledger.end_search(lease, "budget_trials", seconds_used=12.5)
    ledger.update_job(lease, phases={"search": {"seconds": 12.5, "energy_j": 80.0}, "random_arm": {"seconds": 9.0}})
    job, searched, arm = ledger.job(lease.job_id), list(ledger.history(lease.job_id)), ledger.random_arm(lease.job_id)
    finals = plan(job.spec, searched, arm)
    trained = [
        Trained(final=one, trainings=tuple(full(one.rank, seed, final[one.role]) for seed in range(one.seeds)))
        for one in finals
    ]
    store = DataStore(root)
    dataset = store.open("digits", seed=0)
    rows = [training.row for one in trained for training in one.trainings]
    return Findings(
        job=job, dataset=dataset, numerics=SETTING, searched=searched, random=arm, finals=rows, trained=trained,
        winner=trained[0], references={"random": arm[1], "baseline": searched[0]}, duplicates=store.duplicates(dataset),
    )  # fmt: skip


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("datasets")
    DataStore(root).describe("digits")
    return root


SCORES = {"finalist": 0.9, "baseline": 0.7, "random": 0.8, "fidelity": 0.6}


def test_a_report_fits_its_schema_and_says_what_the_rows_say(ledger: Ledger, root: Path) -> None:
    findings = found(ledger, root, final=SCORES)
    report = json.loads(json.dumps(assemble(findings, ledger), allow_nan=False))
    jsonschema.Draft202012Validator(schema(), format_checker=jsonschema.FormatChecker()).validate(report)
    assert report["final_score"] == pytest.approx(0.9)
    assert (report["winner"]["trial"], report["search_score"]) == (4, 0.9)
    assert {name: one["verdict"] for name, one in report["gains"].items()} == {
        "over_random": "gain",
        "over_baseline": "gain",
    }
    assert report["gains"]["over_random"]["against"]["trial"] == RANDOM_ARM_FROM + 1
    assert [(one["phase"], one["trainings"], one["epochs"], one["seconds"]) for one in report["costs"]] == [
        ("search", 5, 8, 12.5), ("random_arm", 2, 4, 9.0), ("finalists", 13, 156, None)
    ]  # fmt: skip
    assert [one["trial"] for one in report["history"]] == [0, 1, 2, 3, 4, RANDOM_ARM_FROM, RANDOM_ARM_FROM + 1]
    assert [one["search_score"] for one in report["incumbents"]["search"]] == [0.6, 0.7, 0.8, 0.9]
    assert [one["epochs"] for one in report["incumbents"]["random_arm"]] == [2, 4]
    seen = report["fidelity"]["kendall_tau_seen"]
    assert seen == pytest.approx(7 / 90**0.5), "of ten pairs one is reversed and one tied"
    assert report["dataset"]["duplicates"] == {
        "search_val_in_search_train": 0, "test_in_search_train": 0, "test_in_search_val": 0
    }  # fmt: skip


def test_a_winner_below_a_simple_model_is_the_first_sentence_of_the_page(ledger: Ledger, root: Path) -> None:
    scores = {"linear": SimpleScore(score=0.95, seconds=2.0), "boosted": SimpleScore(score=None, reason="crashed: x")}
    after = StageScores(scores=scores, trained=1438, of_trained=1438, measured=359, of_measured=359)
    report = assemble(replace(found(ledger, root, final=SCORES), simple=(None, after)), ledger)
    jsonschema.Draft202012Validator(schema()).validate(report)
    sentence = "The winner is below a simple model: it scores 0.9000 on the test split, and a linear model"
    page = unescape(render(report))
    assert page.partition("</h1>")[2].lstrip().startswith(f'<p class="result warning">{sentence}')
    assert "not available: crashed: x" in page
    above = assemble(replace(found(ledger, root, final=SCORES), simple=(None, None)), ledger)
    assert above["simple_models"] is None
    assert "simple model" not in render(above)


def test_no_gain_over_random_is_said_plainly(ledger: Ledger, root: Path) -> None:
    report = assemble(found(ledger, root, final={**SCORES, "random": 0.895}), ledger)
    gain = report["gains"]["over_random"]
    assert gain["verdict"] == "no gain"
    assert gain["words"].startswith("no gain over random: +0.0050, 95% interval -")
    assert gain["interval"][0] < 0 < gain["interval"][1]
    assert gain["words"] in unescape(render(report))


@pytest.mark.heavy
def test_noise_above_the_gap_among_finalists_is_a_warning(ledger: Ledger, root: Path) -> None:
    report = assemble(found(ledger, root, final=SCORES), ledger)
    assert report["noise"]["sd"] == pytest.approx(0.01)
    assert report["noise"]["gap_among_finalists"] == 0.0
    noise, ranks, arm = report["warnings"]
    assert noise.startswith("the standard deviation between trainings of one architecture (0.0100) exceeds the gap")
    assert ranks.startswith("Kendall's tau between search scores and final scores +0.56 among all 4 completed trials")
    assert "estimated from 5 architectures (+0.74 among themselves" in ranks
    assert ranks.endswith("; short trainings may not rank architectures as full trainings do")
    assert arm == (
        "the random arm ended after 4 epochs and the search used 8, "
        "so part of a gain over random may come from more training"
    )


def test_the_report_gives_the_score_of_the_weights_in_the_bundle(ledger: Ledger, root: Path) -> None:
    report = assemble(found(ledger, root, final=SCORES), ledger)
    assert report["shipped"] == {"seed": 0, "final_score": pytest.approx(0.89)}
    assert "those of seed 0, which scored 0.8900" in " ".join(render(report).split())


def test_starting_from_weights_trained_with_the_validation_split_is_a_warning(ledger: Ledger, root: Path) -> None:
    """Also through a job on another data set in between."""
    first = owned_job(ledger, **SPEC).job_id
    between = owned_job(ledger, **{**SPEC, "dataset": "shirts"}, init_from=first).job_id
    findings = found(ledger, root, final=SCORES, init_from=between)
    report = assemble(replace(findings, transfer={"job": between, "copied": 0.5, "widened": 0.3, "fresh": 0.2}), ledger)
    assert (
        f"all trainings started from weights that job {first} trained with this validation split"
        in report["warnings"][-1]
    )
    assert f"<code>{between}</code>, from which 80% of the winner's weights were taken" in " ".join(
        unescape(render(report)).split()
    )


def test_epochs_of_earlier_jobs_that_the_search_learned_from_are_a_warning(ledger: Ledger, root: Path) -> None:
    earlier = owned_job(ledger, **SPEC)
    train(ledger, earlier, 0, 0.6)
    train(ledger, earlier, 1, 0.7)
    learned = found(ledger, root, final=SCORES, warm_start=WarmStart(jobs=(earlier.job_id,)))
    [warning] = [text for text in assemble(learned, ledger)["warnings"] if "earlier jobs" in text]
    assert warning.startswith("the search learned from 2 trials of earlier jobs, 4 epochs beside its own 8; random")


def test_the_trainings_that_chose_the_winner_are_listed_and_paid_for(ledger: Ledger, root: Path) -> None:
    findings = found(ledger, root, final=SCORES)
    finalists = [one.final for one in findings.trained if one.final.role == "finalist"]
    rows = described(finalists, {1: Selection(score=0.85, seconds=2.0, epochs=12)})
    report = assemble(replace(findings, selection=rows), ledger)
    jsonschema.Draft202012Validator(schema()).validate(report)
    assert [(row["trial"], row["validation_score"]) for row in report["selection"]] == [(4, 0.85)]
    assert report["chosen_by"].startswith("the best of 1 finalists on the validation split after a full training")
    assert [(row["trainings"], row["epochs"]) for row in report["costs"] if row["phase"] == "finalists"] == [(14, 168)]


def test_a_winner_that_is_the_baseline_gains_nothing(ledger: Ledger, root: Path) -> None:
    findings = found(ledger, root, final=SCORES)
    references = {"random": None, "baseline": findings.winner.trial}
    report = assemble(
        Findings(**{name: getattr(findings, name) for name in Findings.__slots__} | {"references": references}), ledger
    )
    assert (
        report["gains"]["over_baseline"]["words"] == "no gain over the baseline: the winner is this architecture itself"
    )
    assert report["gains"]["over_random"]["verdict"] == "unknown"
    jsonschema.Draft202012Validator(schema()).validate(report)


class Page(HTMLParser):
    """Tracks open tags and whatever would be loaded from elsewhere."""

    VOID = ("meta", "circle", "path", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.foreign += [str(value) for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_loads_nothing(ledger: Ledger, root: Path) -> None:
    report = assemble(found(ledger, root, final=SCORES), ledger)
    report["stopped_because"] = "<script>alert(1)</script>"
    page, text = Page(), render(report)
    page.feed(text)
    assert (page.open, page.foreign) == ([], [])
    assert page.seen.count("svg") == 3
    assert "script" not in page.seen
    assert not [word for word in ("nan", "http:", "https:", "url(") if word in text]


def test_values_are_escaped_and_a_missing_field_is_an_error(ledger: Ledger, root: Path) -> None:
    report = assemble(found(ledger, root, final=SCORES), ledger)
    report["job"]["name"] = "<b>"
    report["warnings"] = ["a < b"]
    text = render(report)
    assert "<b>" not in text
    assert "<title>Search report: &lt;b&gt;</title>" in text
    assert "Warning: a &lt; b." in text
    del report["dataset"]["sha256"]
    with pytest.raises(UndefinedError, match="sha256"):
        render(report)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"controller": ControllerSpec(name="auto"), "reproducible": True, "seed": 7},
        {"enqueue": ({"stages.0.kernel": 5},), "warm_start": WarmStart(jobs=("a-b",))},
        {"budget": Budget(seconds=600.0, trials=9), "trial": TrialSpec(scheduler="asha"), "comparison": "full"},
    ],
)
def test_posting_the_document_of_a_report_gives_the_same_job(changes: dict[str, Any]) -> None:
    spec = JobSpec(dataset="digits", **{**SPEC, **changes})
    posted = JobRequest.model_validate(json.loads(json.dumps(again(spec, SETTING)))).spec()
    assert (posted.trial.precision, posted.trial.layout) == ("bf16", "nhwc"), "what the calibration chose is fixed"
    fixed = Numerics(precision="fp32", layout="nchw", source="fixed")
    assert JobRequest.model_validate(json.loads(json.dumps(again(spec, fixed)))).spec() == spec


def test_the_document_of_a_reproducible_planned_job_has_its_plan() -> None:
    plan = make_plan(
        PlanInputs(
            seconds=120.0, slots=2, samples=1149, val_samples=288, final_samples=1437, input_shape=(1, 8, 8),
            classes=10, step_s=0.006, score_s=0.01, reproducible=True,
        )
    )  # fmt: skip
    spec = JobSpec(dataset="digits", **{**SPEC, "budget": Budget(seconds=120.0), "reproducible": True})
    posted = JobRequest.model_validate(json.loads(json.dumps(again(spec, SETTING, plan)))).spec()
    assert posted.plan == given_document(plan)
    assert again(posted, SETTING, plan)["plan"] == posted.plan, "a replay can be replayed"
    assert again(replace(spec, reproducible=False), SETTING, plan)["plan"] is None, "the clock revises that one"


@pytest.mark.parametrize("best", [0.75, 0.95])
def test_random_trials_of_the_search_are_its_random_arm(ledger: Ledger, root: Path, best: float) -> None:
    """With 0.95 a random trial is the winner itself."""
    lease = owned_job(ledger, **{**SPEC, "budget": Budget(seconds=120.0)})
    provenances = ["baseline", "controller", RANDOM, "controller", "controller", RANDOM]
    for number, score in enumerate([0.6, 0.7, 0.5, 0.8, 0.9, best]):
        train(ledger, lease, number, score, provenance=provenances[number])
    ledger.end_search(lease, "budget_seconds", seconds_used=12.5)
    before = found(ledger, root, final=SCORES)
    job, searched = ledger.job(lease.job_id), list(ledger.history(lease.job_id))
    random = random_trials(job.spec, ledger, lease.job_id)
    finals = plan(job.spec, searched, random)
    trained = [
        Trained(final=one, trainings=tuple(full(one.rank, seed, SCORES[one.role]) for seed in range(one.seeds)))
        for one in finals
    ]
    findings = replace(
        before, job=job, searched=searched, random=random, trained=trained, winner=trained[0], plan=PLAN,
        references={"random": searched[5], "baseline": searched[0]},
    )  # fmt: skip
    report = json.loads(json.dumps(assemble(findings, ledger), allow_nan=False))
    jsonschema.Draft202012Validator(schema()).validate(report)
    draws, over, page = report["random_draws"], report["gains"]["over_random"], " ".join(render(report).split())
    assert (draws["trials"], draws["draws"], draws["best_drawn"]) == (2, 6, best)
    assert draws["words"] in unescape(page)
    assert not [warning for warning in report["warnings"] if "random arm" in warning]
    assert [row["phase"] for row in report["costs"]] == ["search", "finalists"]
    assert [row["search_score"] for row in report["incumbents"]["random_arm"]] == [0.5, best]
    assert "random trials" in page
    if best < 0.9:
        assert (over["verdict"], over["against"]["trial"]) == ("gain", 5)
        assert report["winner"]["provenance"] == "controller"
    else:
        assert over["words"] == "no gain over random: the winner was drawn at random"
        assert "It was drawn at random." in page
