"""The order of a planned job's final trainings, and which of them still fit into its time."""

from collections.abc import Callable, Iterable

from search.ledger import StoredMeasurement
from search.planning.trial_costs import trial_costs
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


def expected_seconds(plan: Plan, rows: Iterable[StoredMeasurement]) -> Callable[[FinalistTask], float]:
    """Of a final training, by what a step of the same architecture took in the search.

    rows: the measurements of all trials; one without any is expected to be as the average was.
    """
    costs = trial_costs(plan, ((row.number, row.measurement) for row in rows))

    def expected(task: FinalistTask) -> float:
        step_s = costs[task.number].step_s if task.number in costs else plan.pace * plan.step_s
        return MARGIN * (task.recipe.rungs[-1] * step_s + 2 * plan.pace * plan.score_s) + plan.load_s

    return expected
