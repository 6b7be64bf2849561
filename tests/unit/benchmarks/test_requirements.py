"""The verdicts on requirements: what they count, and that nothing unmeasured is called met."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from archsmith.exceptions import ConflictError
from archsmith.values import Job, Trial
from benchmarks import budgets, do_it_yourself, fixed_choices, photographs, reference_networks
from benchmarks._jobs import Watch, row
from benchmarks._resnet import Recipe, changed, rate_at, resnet
from benchmarks._results import Results
from benchmarks._verdicts import Verdict, interval, status, verdict_table
from benchmarks.simple_models import CLASSES


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def view(phase: str = "search", **fields: Any) -> Job:
    return Job.from_json({"id": "j", "state": "running", "wanted": "run", "phase": phase, **fields})


def trial(number: int, *, provenance: str = "policy", epochs: int = 1, seconds: float = 3.0) -> Trial:
    fields = {"provenance": provenance, "epochs": epochs, "seconds": seconds, "hash": str(number)}
    return Trial.from_json({"number": number, "state": "pruned", **fields})


def finished(**fields: Any) -> budgets.Row:
    """A row that meets every requirement."""
    plain = {"state": "succeeded", "budget_s": 1800.0, "taken_s": 1790.0, "first_bundle_s": 60.0, "scored": 70}
    return {**plain, "search_s": 900.0, "longest_s": 100.0, **fields}


# A job watched from outside.


def test_a_watch_adds_up_the_phases_and_keeps_each_new_best_with_its_time() -> None:
    clock = Clock()
    watch = Watch(clock=clock)
    provisional = {"sha256": "", "bytes": 1, "provisional": {"trial": 1, "search_score": 0.5}}
    running = [{"trial": 1, "epochs_total": 4, "scores": [0.5, 0.4]}]
    for now, job in (
        (101, view("plan")),
        (105, view(running=running)),
        (115, view(running=running, best={"trial": 2, "search_score": 0.7}, bundle=provisional)),
        (120, view("finalists", best={"trial": 2, "search_score": 0.7}, bundle=provisional)),
        (130, view("finalists", state="succeeded")),
    ):
        clock.now = now
        watch.look(job)
    assert watch.phases == {"plan": 4.0, "search": 15.0, "finalists": 10.0}
    assert watch.scored == [(5.0, 0.5), (15.0, 0.7)]
    assert watch.held == [(15.0, 0.5)]
    assert watch.passed(0.6) == (15.0, None)


def test_a_random_arm_is_no_part_of_what_the_search_has_found() -> None:
    clock = Clock()
    watch = Watch(clock=clock)
    watch.look(view(running=[{"trial": 2_000_001, "epochs_total": 4, "scores": [0.9]}]))
    trials = [
        trial(0),
        trial(1, epochs=0),
        trial(2_000_000, provenance="random_arm", seconds=9.0),
        trial(1_000_000, provenance="prior"),
    ]
    times = {"started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:02:03Z"}
    found = row(view(state="succeeded", **times), watch, trials, budget_s=120.0)
    assert watch.scored == []
    assert (found["scored"], found["arm"], found["longest_s"], found["taken_s"]) == (1, 1, 9.0, 123.0)


# Twenty jobs.


def test_twenty_jobs_of_which_two_are_beside_another_one() -> None:
    names = [case.name for case in budgets.CASES]
    assert len(set(names)) == 20
    assert [name for name in names if name.endswith("-beside")] == ["digits-120-beside", "trashnet-300-beside"]
    assert set(budgets.LONG) <= set(names)


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, "yes"),
        ({"taken_s": 1891.0}, "no, later"),
        ({"taken_s": 1709.0}, "no, earlier"),
        ({"budget_s": 120.0, "taken_s": 134.0}, "yes"),
        ({"state": "failed"}, "no (failed)"),
    ],
)
def test_a_bundle_is_due_within_a_twentieth_or_fifteen_seconds(fields: dict[str, Any], kept: str) -> None:
    assert budgets.kept(finished(**fields)) == kept


def verdicts(**rows: budgets.Row) -> list[str]:
    whole = {case.name: finished() for case in budgets.CASES}
    return [
        verdict.word
        for verdict in budgets.judged(whole | {name.replace("_", "-"): found for name, found in rows.items()})
    ]


def test_one_late_bundle_of_twenty_is_allowed_and_one_long_trial_is_not() -> None:
    late, long = finished(taken_s=2000.0), finished(longest_s=300.0, first_bundle_s=200.0)
    assert verdicts(cora_300=late) == ["met"] * 5
    assert verdicts(cora_300=late, cora_600=late)[0] == "NOT MET"
    assert verdicts(cora_300=long) == ["met", "NOT MET", "NOT MET", "met", "met"]
    assert verdicts(fashion_1800_2=finished(scored=59, search_s=700.0))[3:] == ["NOT MET", "NOT MET"]


def test_what_has_not_been_run_is_not_met() -> None:
    found = budgets.judged({"digits-120": finished()})
    assert [verdict.met for verdict in found] == [None] * 5
    assert status(found) == 1
    assert "not measured" in verdict_table(found)


# Against the hand-made network and the do-it-yourself script.


def test_the_network_steps_are_those_of_its_docstring() -> None:
    module = resnet(1, 10, side=28)
    assert sum(weights.numel() for weights in module.parameters()) == 307_690
    assert rate_at(0.1) == pytest.approx(0.5)
    assert [rate_at(0.2), rate_at(1.0)] == [1.0, 0.0]


def test_a_shifted_picture_is_the_same_picture_elsewhere() -> None:
    torch.manual_seed(0)
    x = torch.zeros(64, 1, 5, 5)
    x[:, :, 2, 2] = 1.0
    found = changed(x, Recipe(seconds=1.0, shift=2, mirror=False))
    assert found.sum((1, 2, 3)).tolist() == [1.0] * 64
    assert len({int(one.flatten().argmax()) for one in found}) > 12


def test_half_an_hour_allows_a_little_less_than_the_network_and_an_hour_asks_for_more() -> None:
    def words(seconds: float, network: float | None, job: float | None) -> list[str]:
        return [one.word for one in reference_networks.judged("fashion", seconds, network=network, job=job)]

    assert words(1800.0, 0.940, 0.9375) == ["met"]
    assert words(1800.0, 0.940, 0.9365) == ["NOT MET"]
    assert words(3600.0, 0.938, 0.939) == ["met", "NOT MET"]
    assert words(3600.0, 0.938, None) == ["not measured", "not measured"]


def test_a_job_that_never_reaches_the_script_has_not_passed_it() -> None:
    script = {"rises": [[10.0, 0.5], [280.0, 0.8]]}
    job = {"scored": [[30.0, 0.7], [45.0, 0.81]], "held": [[40.0, 0.7]]}
    found = do_it_yourself.shares(script, job, 300.0)
    assert found == {"scored": 0.15, "held": None}
    assert [verdict.word for verdict in do_it_yourself.judged("fashion", [found])] == ["met", "NOT MET"]


# Photographs.


def test_the_same_photographs_are_drawn_whatever_the_order_of_the_archive() -> None:
    names = [f"trashnet/{label}/{label}{number}.jpg" for label in (*CLASSES, "trash") for number in range(90)]
    found = photographs.drawn(names, draw=0)
    assert found == photographs.drawn(names[::-1], draw=0) != photographs.drawn(names, draw=1)
    assert len(set(found)) == 240
    assert {name.split("/")[1] for name in found} == set(CLASSES)
    with pytest.raises(ValueError, match="60 are needed"):
        photographs.drawn(names[:50], draw=0)


def test_a_job_on_other_splits_than_the_forest_proves_nothing() -> None:
    good = {"final_score": 0.80, "forest": 0.70, "same_splits": True}
    assert photographs.judged_few([good, good]).met is True
    assert photographs.judged_few([good | {"final_score": 0.75}]).met is False
    assert photographs.judged_few([good, good | {"same_splits": False}]).met is False
    assert photographs.judged_all([{"final_score": 0.79}]).met is False


# Fixed choices.


def test_a_choice_changes_one_thing_of_the_job() -> None:
    plan, fixed, rungs = (fixed_choices.request("mutag", name, 1, 120.0) for name in ("plan", "8 epochs", "no rungs"))
    assert plan["budget"] == rungs["budget"] == {"seconds": 120.0}
    assert fixed["budget"] == {"epochs": 8, "trials": 10_000}
    assert rungs["trial"] == {"scheduler": "none"}


def test_a_job_without_a_plan_is_told_to_finish_once_it_can() -> None:
    calls: list[tuple[str, float]] = []

    class Service:
        refusals = 1

        def finish(self, job_id: str, *, within_s: float) -> None:
            if self.refusals:
                self.refusals -= 1
                raise ConflictError("no trial has a score yet", status=409)
            calls.append(("finish", within_s))

        def cancel(self, job_id: str) -> None:
            calls.append(("cancel", 0.0))

    clock = Clock()
    watch, service = Watch(clock=clock), Service()
    ends = fixed_choices.Ends(service, 100.0)  # type: ignore[arg-type]
    for seconds in (50.0, 56.0, 57.0, 58.0, 126.0, 127.0):
        clock.now = 100.0 + seconds
        ends(view(), watch)
    assert calls == [("finish", 43.0), ("cancel", 0.0)]


def test_a_plan_that_is_worse_beyond_noise_somewhere_is_told_where() -> None:
    found = {("digits", "2 epochs"): (0.02, 0.01), ("digits", "8 epochs"): (-0.01, 0.02)}
    assert [one.word for one in fixed_choices.judged(found, whole=True)] == ["met", "NOT MET"]
    worse = fixed_choices.judged({**found, ("mutag", "8 epochs"): (-0.05, 0.02)}, whole=True)
    assert "mutag, 8 epochs" in worse[0].measured
    assert worse[0].met is False


def test_a_job_without_a_score_counts_as_nothing() -> None:
    rows = [{"final_score": 0.9, "test_samples": 1000}, {"final_score": 0.8, "test_samples": 1000}]
    assert fixed_choices.differences(rows, [{"final_score": None}, {"final_score": 0.7}]) == pytest.approx([0.9, 0.1])
    mean, half = fixed_choices.compared(rows[:1], [{"final_score": 0.8}])
    assert (mean, half) == pytest.approx((0.1, 1.96 * math.sqrt(0.9 * 0.1 / 1000)))


def test_an_interval_is_that_of_student() -> None:
    assert interval([1.0, 2.0, 3.0]) == pytest.approx((2.0, 4.3027 / math.sqrt(3)), rel=1e-4)
    assert interval([1.0]) == (1.0, math.inf)
    assert interval([1.0, 1.0], least=0.1) == pytest.approx((1.0, 0.196))


def test_a_finished_row_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "rows.json"
    assert Results(path).row("a", lambda: {"score": 1.0}) == {"score": 1.0}
    assert Results(path).row("a", lambda: {"score": 2.0}) == {"score": 1.0}
    assert Results(None).rows == {}
    assert status([Verdict(what="", measured="", required="", met=True)]) == 0
