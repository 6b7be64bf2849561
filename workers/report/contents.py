"""`report.json`: the job, its result, how much better the result is, what it cost, and how to reproduce it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from search.earlier_jobs.donors import donors
from search.ledger import Finalist, Job, Ledger, Role, Trial
from search.objective import Objective
from search.pareto import pareto
from search.planning.values import Plan, passes
from search.streams import Stream, seed_of
from workers.conventions import score_name
from workers.datasets import Dataset
from workers.datasets.balance import unequal_classes
from workers.finalists.plan import has_arm, is_its_own
from workers.report.answers import answers_section
from workers.report.comparison import fidelity, gains, noise
from workers.report.costs import Seconds, costs, incumbents, trained_seconds
from workers.report.data import data_section
from workers.report.document import again, digest
from workers.report.environment import fingerprint
from workers.report.random_draws import random_draws
from workers.report.simple import simple_models
from workers.report.trained import Trained
from workers.simple.record import StageScores
from workers.train.numerics import Numerics

SCHEMA_VERSION = "3"
SEEDS = "search/streams.py: (TRIAL, job, trial) of a trial, (FINAL, job, trial, repetition) of a full training"


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What a report is made from.

    random: the random trials, of the search itself or of its random arm. winner: an element of `trained`.
    references: role -> the trial that the winner is compared with; only roles that the job asked for.
    duplicates: see `DataStore.duplicates`. transfer: see `workers.weights.inherit.inherited_shares`.
    compression: see `workers.compress.product`. selection: see `workers.finalists.selection.described`.
    simple: scores of the simple models before the search and after it, None where there are none.
    cut: what an early end has cost, see `workers.phases.in_time`. plan: None for a job without one.
    """

    job: Job
    dataset: Dataset
    numerics: Numerics
    searched: Sequence[Trial]
    random: Sequence[Trial]
    finals: Sequence[Finalist]
    trained: Sequence[Trained]
    winner: Trained
    references: dict[Role, Trial | None]
    duplicates: dict[str, int] | None
    transfer: dict[str, Any] | None = None
    compression: dict[str, Any] | None = None
    selection: Sequence[dict[str, Any]] = ()
    simple: tuple[StageScores | None, StageScores | None] = (None, None)
    cut: str | None = None
    plan: Plan | None = None

    @property
    def objective(self) -> Objective:
        return Objective.of(self.job.spec.objective)

    @property
    def own(self) -> list[Trial]:
        """The trials that this job's search trained, without those of earlier jobs."""
        return [trial for trial in self.searched if trial.provenance != "prior"]

    def passes(self, epochs: int) -> float:
        """Passes over the training split of a trial of so many epochs."""
        return passes(self.plan, epochs)


def assemble(found: Findings, ledger: Ledger) -> dict[str, Any]:
    """The whole report; `report.schema.json` documents its fields."""
    return {
        "schema_version": SCHEMA_VERSION,
        "job": _job(found),
        **_result(found),
        **_evidence(found, ledger),
        **_search(found, ledger),
        **_trainings(found),
        **_record(found, ledger),
        **_surroundings(found),
    }


def _result(found: Findings) -> dict[str, Any]:
    winner, trial = found.winner, found.winner.trial
    return {
        "search_score": trial.search_score,
        "final_score": winner.scores.mean,
        "final_score_sd": winner.scores.sd,
        "score": score_name(found.job.spec.objective.score, found.dataset.task, found.dataset.problem),
        "measures": winner.measures,
        "answers": answers_section(found.dataset, winner),
        "winner": {
            "trial": trial.number,
            "hash": trial.hash,
            "params": trial.params,
            "macs": trial.macs,
            "choices": trial.choices,
            "provenance": trial.provenance,
        },
        "shipped": {"seed": winner.trainings[0].row.seed, "final_score": winner.trainings[0].score},
        "chosen_by": chosen_by(found.objective, finalists=len(found.selection), planned=found.plan is not None),
        "selection": list(found.selection),
        "init_from": found.transfer,
        "compression": found.compression,
        "cut": found.cut,
    }


def _evidence(found: Findings, ledger: Ledger) -> dict[str, Any]:
    """Gains, rank agreement, noise, and warnings."""
    spec, varied = found.job.spec, noise(found.trained, found.winner)
    ranks = fidelity(found.trained, found.own) if spec.finalists.fidelity else None
    draws = random_draws(found.random, found.own, found.objective, seed=spec.seed, passes=found.passes)
    return {
        "gains": gains(found.trained, found.winner, found.references, seed=spec.seed),
        "random_draws": None if draws is None else draws.to_json(),
        "fidelity": ranks,
        "noise": varied,
        "simple_models": simple_models(*found.simple, found.winner.scores.mean),
        "warnings": [
            *([found.cut] if found.cut else []),
            *(ledger.plan(found.job.id) or {}).get("warnings", ()),
            *_of_classes(found),
            *_warnings(found, varied, ranks),
            *_of_cost(found),
            *_of_priors(found, ledger),
            *_of_weights(found, ledger),
        ],
    }


def _search(found: Findings, ledger: Ledger) -> dict[str, Any]:
    job, belief = found.job, ledger.controller_state(found.job.id)
    return {
        "front": _front(ledger, found),
        "controller": {"name": job.spec.controller.name, "state": belief.state if belief else {}},
        "stopped_because": job.stopped_because,
        "trials": {state.value: count for state, count in job.counts.items()},
        "search_seconds": round(job.seconds_used, 3),
        "plan": ledger.plan(job.id),
    }


def _trainings(found: Findings) -> dict[str, Any]:
    """All full trainings."""
    rows = [(trained.final.role, row) for trained in found.trained for row in _full(trained, found.job)]
    return {
        "finalists": [row for role, row in rows if role == "finalist"],
        "references": [row for role, row in rows if role != "finalist"],
        "failed_trainings": [
            {"rank": row.rank, "trial": row.trial_number, "seed": row.seed, "role": row.role, "reason": row.reason}
            for row in found.finals
            if row.state == "failed"
        ],
    }


def _record(found: Findings, ledger: Ledger) -> dict[str, Any]:
    """All trials and their costs."""
    job, arm = found.job, ledger.random_arm(found.job.id)
    seconds = trained_seconds(ledger.measurements(job.id))
    return {
        "costs": costs(job, found.own, arm, found.finals, seconds, passes=found.passes, selection=found.selection),
        "incumbents": {
            "search": incumbents(found.own, seconds, passes=found.passes),
            "random_arm": incumbents(found.random, seconds, passes=found.passes),
        },
        "history": [_row(trial, job, seconds) for trial in (*found.searched, *arm)],
    }


def _surroundings(found: Findings) -> dict[str, Any]:
    """What must be equal to get the same result again."""
    spec = found.job.spec
    return {
        "dataset": _dataset(found),
        "data": data_section(found.dataset),
        "seeds": {"job": spec.seed, "rule": SEEDS},
        "hashes": {"document": digest(spec.to_json()), "space": digest(spec.space)},
        "setting": found.numerics.to_json(),
        "environment": fingerprint(spec),
    }


def _job(found: Findings) -> dict[str, Any]:
    job = found.job
    return {
        "id": job.id,
        "name": job.name,
        "created_at": job.created_at.isoformat(),
        "spec": job.spec.to_json(),
        "document": again(job.spec, found.numerics, found.plan),
    }


def _full(trained: Trained, job: Job) -> list[dict[str, Any]]:
    return [
        {
            "rank": training.row.rank,
            "role": training.row.role,
            "trial": training.row.trial_number,
            "hash": trained.trial.hash,
            "seed": training.row.seed,
            "training_seed": seed_of(Stream.FINAL, job.spec.seed, training.row.trial_number, training.row.seed),
            "final_score": training.score,
            "measures": training.measures,
            "epochs": training.row.epochs,
            "seconds": round(training.row.seconds, 3),
        }
        for training in trained.trainings
    ]


def _row(trial: Trial, job: Job, seconds: Seconds) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "provenance": trial.provenance,
        "state": trial.state.value,
        "reason": trial.reason,
        "hash": trial.hash,
        "params": trial.params,
        "macs": trial.macs,
        "search_score": trial.search_score,
        "measures": trial.measures,
        "epochs": trial.epochs,
        "training_seconds": round(seconds.get(trial.number, 0.0), 3),
        "seed": None if trial.provenance == "prior" else seed_of(Stream.TRIAL, job.spec.seed, trial.number),
    }


def _dataset(found: Findings) -> dict[str, Any]:
    dataset = found.dataset
    return {
        "name": dataset.info.name,
        "sha256": dataset.info.sha256,
        "kind": dataset.info.kind,
        "task": dataset.task,
        "problem": dataset.problem,
        "input_shape": list(dataset.info.input_shape),
        "classes": list(dataset.class_names),
        "sizes": dataset.split_sizes,
        "split_seed": dataset.seed,
        "split_hashes": dataset.split_hashes,
        "duplicates": found.duplicates,
    }


def _warnings(found: Findings, varied: dict[str, Any], ranks: dict[str, Any] | None) -> list[str]:
    warnings = [varied["warning"]] if varied["warning"] else []
    if ranks and ranks["interval"] and ranks["interval"][0] <= 0:
        warnings.append(str(ranks["words"]))
    seen = {name: count for name, count in (found.duplicates or {}).items() if count and name.startswith("test_in")}
    if seen:
        where = ", ".join(f"{count} in {name.removeprefix('test_in_')}" for name, count in seen.items())
        warnings.append(f"some samples of the test split also occur in the data trained on: {where}")
    return warnings


def _of_classes(found: Findings) -> Iterator[str]:
    """Warn if the score hides the small classes."""
    spec, weighted = found.job.spec, found.job.spec.trial.class_weights != "none"
    warning = unequal_classes(spec.objective.score, found.dataset.info, found.dataset.task, weighted=weighted)
    if warning is not None:
        yield warning


def _of_cost(found: Findings) -> Iterator[str]:
    """Warn if the random arm trained less than the search, by more than the one trial that did not fit in."""
    spec = found.job.spec
    if not has_arm(spec, planned=found.plan is not None):
        return
    search, arm = (sum(found.passes(trial.epochs) for trial in trials) for trials in (found.own, found.random))
    if arm + found.passes(spec.budget.trial_epochs if found.plan is None else len(found.plan.rungs)) < search:
        yield (
            f"the random arm ended after {arm:.4g} epochs and the search used {search:.4g}, so part of a gain over "
            "random may come from more training"
        )


def _of_priors(found: Findings, ledger: Ledger) -> Iterator[str]:
    """Warn if the search learned from trials of earlier jobs, which cost epochs that random search did not get."""
    jobs = found.job.spec.warm_start.jobs
    if not jobs or not found.job.spec.finalists.random_arm or is_its_own(found.job.spec):
        return
    rows = [trial for job_id in jobs for trial in ledger.history(job_id) if trial.provenance != "prior"]
    earlier, own = (sum(trial.epochs for trial in trials) for trials in (rows, found.own))
    yield (
        f"the search learned from {len(rows)} trials of earlier jobs, {earlier} epochs beside its own {own}; "
        "random search had none of these, so part of a gain over random may come from the others"
    )


def _of_weights(found: Findings, ledger: Ledger) -> Iterator[str]:
    """Warn if the weights that all trainings started from were trained with this job's validation split."""
    spec = found.job.spec
    for job_id, donor in donors(spec.init_from, lambda job_id: ledger.job(job_id).spec):
        if donor.dataset == spec.dataset:
            yield (
                f"all trainings started from weights that job {job_id} trained with this validation split, so search "
                "scores are higher than from scratch; the test split was not used"
            )
            return


def chosen_by(objective: Objective, *, finalists: int = 0, planned: bool = False) -> str:
    """The rule that chose the winner, in words. finalists: those that were trained to choose among them.

    planned: for a third of a full training (`workers.finalists.spare`), not for all of it.
    """
    rule = "search_score on the validation split"
    if len(objective.names) > 1:
        rule = f"the best {rule} among the trials on the Pareto front of {', '.join(objective.names)}"
    elif objective.target is not None:
        rule = f"{rule} with a soft target for {objective.target.measure}"
    elif objective.names != ("score",):
        rule = f"the lowest {objective.names[0]}"
    if finalists:
        length = "a third of a full training" if planned else "a full training"
        rule = f"the best of {finalists} finalists on the validation split after {length} without it, where "
        rule += "finalists have the best search_score on the validation split"
        if objective.target is not None:
            rule += f", both with a soft target for {objective.target.measure}"
        rule += "; what it is compared with was chosen without such trainings"
    return f"{rule}; the test split was not used"


def _front(ledger: Ledger, found: Findings) -> dict[str, Any] | None:
    """The Pareto front; None with a single objective."""
    objective = found.objective
    if len(objective.names) == 1:
        return None
    front = pareto(ledger.facts(found.job.id), objective)
    return {
        "objectives": list(objective.names),
        "points": [{"trial": number, **measures} for number, measures in front.points],
        "hypervolume": front.hypervolume,
        "reference": front.reference,
    }
