"""The order of a planned job's final trainings, and which of them still fit into its time."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from search.ledger import StoredMeasurement
from search.planning.values import Plan
from workers.finalists.training import FinalistTask

MARGIN = 1.15
"""Factor on a training's expected seconds: two at a time slow each other down."""


def in_turns(tasks: Iterable[FinalistTask]) -> list[FinalistTask]:
    """Winner, baseline, best random and again with the next seed; then the other finalists, then checks of fidelity."""
    return sorted(tasks, key=_place)


def is_first(task: FinalistTask) -> bool:
    """Whether it is the winner's first full training, without which there is no bundle."""
    return task.rank == 1 and task.seed == 0


def _place(task: FinalistTask) -> tuple[int, int, int]:
    order = {"baseline": 1, "random": 2}
    if task.rank == 1 or task.role in order:
        return 0, task.seed, order.get(task.role, 0)
    return (1 if task.role == "finalist" else 2), task.seed, task.rank


def expected_seconds(plan: Plan, epochs: Mapping[int, float], *, load_s: float) -> Callable[[FinalistTask], float]:
    """Of a final training, by what an epoch of the same architecture took in the search.

    epochs: seconds of a trial's epoch, by its number; a trial without one is expected to be as the average was.
    """
    usual = (plan.pass_steps * plan.step_s + plan.score_s) * plan.pace

    def expected(task: FinalistTask) -> float:
        each = epochs.get(task.number, usual) * plan.final_pass_steps / plan.pass_steps
        return MARGIN * task.recipe.epochs * each + load_s

    return expected


def epoch_seconds(rows: Sequence[StoredMeasurement]) -> dict[int, float]:
    """Mean seconds of an epoch, by trial."""
    seconds: dict[int, list[float]] = {}
    for row in rows:
        seconds.setdefault(row.number, []).append(row.measurement.seconds)
    return {number: sum(own) / len(own) for number, own in seconds.items()}
