"""A ledger with jobs in several states, as the pages would find it: no driver, no Ray, no training."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from search.ledger import Finalist, Lease, Ledger
from search.planning.values import Plan
from search.proposing.walks import Draw
from search.spec import Budget, ControllerSpec
from search.trial import JobState, Measurement, Outcome, TrialState
from search.validate import DataShape, parse_space, sample
from space import presets
from tests import factories
from workers.datasets import DataStore
from workers.finalists.confusion import confused
from workers.settings import Settings

PLAN = Plan(
    seconds=600.0,
    batch_size=64,
    pass_steps=20,
    final_pass_steps=24,
    rungs=(20, 40, 80, 160),
    share=1.0,
    resolution=None,
    architectures=60,
    final_steps=480,
    trainings=4,
    limit_s=40.0,
    start_s=30.0,
    search_s=330.0,
    arm_s=0.0,
    winner_s=120.0,
    turns_s=80.0,
    bundle_s=40.0,
    step_s=0.02,
    score_s=0.1,
)
RUNGS = len(PLAN.rungs)


def fill(ledger: Ledger, settings: Settings, *, trials: int = 60) -> tuple[dict[str, str], Lease]:
    """One job that has succeeded, one that failed, one that runs, one that is paused and one that waits.

    Returns their ids by these words, and the lease of the one that runs.
    """
    lease = _running(ledger, settings, trials)
    ids = {"running": lease.job_id, "done": _done(ledger, settings, trials), "failed": _failed(ledger)}
    paused, _ = ledger.create_job(_spec("paused"))
    ledger.request(paused.id, "pause")
    queued, _ = ledger.create_job(_spec("next"))
    return {**ids, "paused": paused.id, "queued": queued.id}, lease


def _spec(name: str, **changes: Any) -> Any:
    return factories.job_spec(
        name=name, space=presets.load("tiny"), controller=ControllerSpec(name="auto"),
        budget=Budget(trials=None, seconds=600.0), **changes,
    )  # fmt: skip


def _claimed(ledger: Ledger, name: str) -> Lease:
    job, _ = ledger.create_job(_spec(name))
    lease = ledger.claim("tests", 3600.0)
    assert lease is not None
    assert lease.job_id == job.id
    return lease


@cache
def draws() -> list[Draw]:
    """Architectures of the preset `tiny` on the digits."""
    space = parse_space(presets.load("tiny"), DataShape(input_shape=(1, 8, 8), classes=10, tasks=("image",)))
    return list(sample(space, space.constraints).draws)


def searched(ledger: Ledger, lease: Lease, count: int, *, seed: int = 0) -> None:
    """Trials with curves: every fourth drawn at random, every third stopped at a rung, one that failed."""
    rng = np.random.default_rng(seed)
    known = draws()
    order = rng.permutation(len(known))
    for number in range(count):
        draw = known[order[number % len(known)]]
        origin = "baseline" if number == 0 else "random" if number % 4 == 1 else "controller"
        ledger.add_trial(
            lease, number=number, architecture=draw.architecture.to_json(), hash=draw.architecture.hash,
            choices=draw.choices, params=int(draw.measures["params"]), macs=int(draw.measures["macs"]),
            provenance=origin,
        )  # fmt: skip
        _train(ledger, lease, number, reach=0.75 + 0.2 * number / count, rng=rng)


def _train(ledger: Ledger, lease: Lease, number: int, *, reach: float, rng: np.random.Generator) -> None:
    attempt = ledger.start_attempt(lease, number)
    best = min(0.99, reach + float(rng.normal(0, 0.03)))
    epochs = RUNGS if number % 3 else 2
    score = 0.0
    for epoch in range(1, epochs + 1):
        score = round(best * (1 - 0.35**epoch), 6)
        measured = Measurement(epoch=epoch, score=score, train_loss=2.0 / epoch, seconds=1.5)
        ledger.add_measurement(lease, number, attempt, measured)
    if number == 7:
        outcome = Outcome(
            number=number, state=TrialState.FAILED, epochs=epochs, reason="the training loss is not finite"
        )
        ledger.finish_trial(lease, number, attempt, outcome)
        return
    state = TrialState.COMPLETED if epochs == RUNGS else TrialState.PRUNED
    outcome = Outcome(number=number, state=state, value=score, epochs=epochs)
    ledger.finish_trial(lease, number, attempt, outcome, score)


def _failed(ledger: Ledger) -> str:
    lease = _claimed(ledger, "too-short")
    ledger.finish_job(lease, JobState.FAILED, "/budget/seconds: 30 s are too few for one architecture; at least 73 s")
    return lease.job_id


def _running(ledger: Ledger, settings: Settings, trials: int) -> Lease:
    lease = _claimed(ledger, "shirts")
    ledger.set_plan(lease, PLAN.to_json())
    phases = {"plan": {"seconds": 32.0}, "search": {"seconds": 150.0}}
    ledger.update_job(lease, phase="search", phases=phases)
    searched(ledger, lease, trials, seed=1)
    for number in (trials, trials + 1):
        draw = draws()[number % 20]
        fields = {"choices": draw.choices, "architecture": draw.architecture.to_json(), "hash": f"{number:032x}"}
        attempt = factories.running_trial(ledger, lease, number, **fields)
        ledger.add_measurement(lease, number, attempt, Measurement(epoch=1, score=0.61, train_loss=1.2, seconds=2.0))
    ledger.warn(lease, 7, "the training loss is not finite; the learning rate may be too high")
    folder = settings.job_folder(lease.job_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "driver.log").write_text("2026-01-01 12:00:00 INFO workers.driver: the plan is made\n" * 8)
    return lease


def _done(ledger: Ledger, settings: Settings, trials: int) -> str:
    lease = _claimed(ledger, "digits")
    ledger.set_plan(lease, replace(PLAN, turns_s=60.0).to_json())
    searched(ledger, lease, trials)
    best = ledger.job(lease.job_id).best_trial
    assert best is not None
    for rank, role, number, scores in ((1, "finalist", best, (0.9694, 0.9722)), (2, "baseline", 0, (0.9582,))):
        for seed, score in enumerate(scores):
            ledger.set_finalist(
                lease,
                Finalist(
                    job_id=lease.job_id, rank=rank, role=role, trial_number=number, seed=seed,  # type: ignore[arg-type]
                    state="completed", test_score=score, epochs=20, seconds=48.0,
                ),
            )  # fmt: skip
    folder = settings.job_folder(lease.job_id) / "bundle"
    folder.mkdir(parents=True)
    (folder.parent / "bundle.zip").write_bytes(b"PK" + bytes(200))
    report = _report(ledger, lease, best) | {"answers": _answers(settings)}
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "report.html").write_text("<!doctype html><title>Report</title><h1>Report</h1>")
    phases = {"plan": {"seconds": 31.0}, "search": {"seconds": 340.0}, "finalists": {"seconds": 150.0}}
    ledger.update_job(lease, phase="bundle", phases=phases)
    ledger.end_search(lease, "budget_seconds", seconds_used=340.0)
    ledger.finish_job(
        lease, JobState.SUCCEEDED, final_score=0.9708, bundle_sha256="0" * 63 + "1", bundle_bytes=202, phases=phases
    )
    return lease.job_id


def _answers(settings: Settings) -> dict[str, Any]:
    """Of a classifier of the digits that is right in about nine of ten."""
    test = DataStore(settings.datasets).open("digits", seed=0).test
    y = np.asarray(test.y)
    logits = np.random.default_rng(0).normal(size=(len(y), 10)) + 3.2 * np.eye(10)[y]
    told = confused(logits.astype(np.float32), y, test)
    return {"problem": "classification", "seed": 0, "columns": [str(k) for k in range(10)], **told}


def _report(ledger: Ledger, lease: Lease, best: int) -> dict[str, Any]:
    """What the page of the result reads of a report."""
    trial = ledger.trial(lease.job_id, best)
    row = {"role": "finalist", "rank": 1, "trial": best, "epochs": 20, "seconds": 48.0}
    base = {**row, "role": "baseline", "rank": 2, "trial": 0, "seed": 0, "final_score": 0.9582}
    return {
        "score": "accuracy",
        "final_score": 0.9708,
        "final_score_sd": 0.002,
        "search_score": trial.search_score,
        "measures": {"accuracy": 0.9708, "balanced_accuracy": 0.9701, "auc": 0.9991},
        "winner": {"trial": best, "hash": trial.hash, "params": trial.params, "macs": trial.macs, "choices": {}},
        "gains": {
            "over_random": {"words": "no gain over random: +0.0040, 95% interval -0.0017 to +0.0097"},
            "over_baseline": {"words": "gain over the baseline: +0.0126, 95% interval +0.0014 to +0.0251"},
        },
        "simple_models": {
            "words": "the best simple model, a linear model on simple features, scores 0.9387 on the test split",
            "models": [
                {"name": "linear", "final_score": 0.9387, "reason": None},
                {"name": "boosted", "final_score": 0.9122, "reason": None},
            ],
        },
        "warnings": ["class 8 has only 17 samples in the test split, so its score is uncertain"],
        "chosen_by": "search_score on the validation split; the test split was not used",
        "stopped_because": "budget_seconds",
        "dataset": {"name": "digits", "sizes": {"search_train": 1222, "search_val": 216, "test": 359}},
        "finalists": [{**row, "seed": 0, "final_score": 0.9694}, {**row, "seed": 1, "final_score": 0.9722}],
        "references": [base],
        "costs": [
            {"phase": "search", "trainings": 60, "epochs": 190.5, "seconds": 340.0},
            {"phase": "finalists", "trainings": 3, "epochs": 60, "seconds": 150.0},
        ],
        "fidelity": None,
        "compression": None,
    }
