"""What is trained in full after a search, and why: the finalists, what they are compared with, what checks the search.

    finalist   the best of the search, `finalists.top` of them; `selection.py` chooses the winner among them
    baseline   the space's baseline, trial 0: what a person would have chosen
    random     the best of the random trials by search score: those of the search that were drawn at random, or the arm
    fidelity   others, spread over the ranking of the search, so that `finalists.fidelity` architectures were trained
               both short and in full

The first three are trained `finalists.seeds` times and treated alike, except that finalists which do not become the
winner are trained once; the last once, for a rank needs no repetition. A check of fidelity also asks how much a
training varies by itself, so there the winner is trained NOISE_SEEDS times at least. An architecture that is two of
these is trained for the first of them only. Everything follows from the ledger's rows, so a new driver plans the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from search.ledger import Ledger, Role, Trial
from search.objective import Objective
from search.spec import JobSpec
from search.trial import RANDOM, TrialState
from workers.finalists.training import choose

NOISE_SEEDS = 3
"""Trainings of one architecture from which its noise is estimated."""

LONGEST = 2.0
"""Most seconds of wall clock of the random arm for each second of the search."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Final:
    """One architecture to be trained in full.

    rank: 1 for the best finalist by search score; those of other roles follow the finalists.
    """

    rank: int
    role: Role
    trial: Trial
    seeds: int


def is_its_own(spec: JobSpec) -> bool:
    """Whether the search itself draws uniformly."""
    return spec.controller.name == "random"


def interleaves(spec: JobSpec, *, planned: bool) -> bool:
    """Whether a part of the search's own trials is drawn at random (`search/proposing/interleaved.py`).

    planned: whether the job has a plan, which a spec with the plan's values does not tell.
    """
    return planned and spec.finalists.random_arm and spec.comparison == "share" and not is_its_own(spec)


def has_arm(spec: JobSpec, *, planned: bool) -> bool:
    """Whether a random arm follows the search."""
    return spec.finalists.random_arm and not is_its_own(spec) and not interleaves(spec, planned=planned)


def random_trials(spec: JobSpec, ledger: Ledger, job_id: str) -> list[Trial]:
    """The uniformly random trials that the winner is compared with, those of the search where they are such."""
    if is_its_own(spec):
        return [trial for trial in ledger.history(job_id) if trial.provenance == "controller"]
    drawn = [trial for trial in ledger.history(job_id) if trial.provenance == RANDOM]
    return [*drawn, *ledger.random_arm(job_id)]


def plan(spec: JobSpec, searched: Sequence[Trial], random: Sequence[Trial]) -> list[Final]:
    """searched: all trials of the search; random: the random ones, of the search or of its arm, [] for none."""
    objective, wanted = Objective.of(spec.objective), spec.finalists
    found: list[tuple[Role, Trial]] = [("finalist", t) for t in choose(searched, wanted.top, objective)]
    if wanted.baseline:
        found += [("baseline", t) for t in searched if t.provenance == "baseline"]
    if wanted.random_arm:
        found += [("random", t) for t in choose(random, 1, objective)]
    distinct: dict[str, tuple[Role, Trial]] = {}
    for role, trial in found:
        distinct.setdefault(trial.hash, (role, trial))
    missing = max(0, wanted.fidelity - sum(trial.state is TrialState.COMPLETED for _, trial in distinct.values()))
    rest = [t for t in choose(searched, len(searched)) if t.state is TrialState.COMPLETED and t.hash not in distinct]
    found = [*distinct.values(), *(("fidelity", trial) for trial in spread(rest, missing))]
    return [
        Final(rank=rank, role=role, trial=trial, seeds=_seeds(spec, rank, role))
        for rank, (role, trial) in enumerate(found, start=1)
    ]


def _seeds(spec: JobSpec, rank: int, role: Role) -> int:
    if role == "fidelity":
        return 1
    least = NOISE_SEEDS if rank == 1 and spec.finalists.fidelity else 1
    return max(least, spec.finalists.seeds)


def spread(ranked: Sequence[Trial], count: int) -> list[Trial]:
    """`count` trials of a ranking, evenly spaced from the worst up, since the finalists are at its other end."""
    if count >= len(ranked):
        return list(ranked)
    places = sorted({len(ranked) - 1 - round(step * len(ranked) / count) for step in range(count)})
    return [ranked[place] for place in places]
