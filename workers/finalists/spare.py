"""The choice among finalists in a planned job: made where it costs the winner's full training nothing.

At equal time it does not pay: `python -m benchmarks.choice` chooses among the best two by trainings of a third of the
winner's length, and a job with two trainings at a time then has 1 / (1 + 1/3) of the time for the winner itself.

    true final scores apart   validation samples   gain where close   pays if twice the steps gain less than
                                                                      two at a time    one at a time
    0.5                       10,000               0.09 points        0.22             0.13
    1.0                       10,000               0.23               0.54             0.31
    2.0                        1,000               0.40               0.97             0.55
    2.0                           60               0.26               0.62             0.35

A training that has not converged gains more by twice the steps: 4.9 points on Fashion-MNIST from 125 to 375 steps, 0.6
on digits from 128 to 384 (one architecture each, `python -m benchmarks.fidelity`). One that is as long as the data can
use gains nothing, and time is left over. So the choice is made there only, from what the comparison's further seeds
would get, and only among finalists whose search scores are closer than their validation split can tell apart.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from search.planning.rule import half_width, half_width_of_r2, longest_final
from search.planning.values import Plan, PlanInputs
from search.spec import JobSpec
from workers.finalists.plan import Final
from workers.finalists.selection import Selection, candidates
from workers.finalists.training import FinalistTask

SHARE, MOST = 1 / 3, 3
"""Of the winner's full training, for the one that chooses; and most finalists among which is chosen."""


def close_ones(spec: JobSpec, finals: Sequence[Final], val_samples: int, *, score: str = "accuracy") -> list[Final]:
    """The finalists that cannot be told apart: equally long trained, values within the 95 % interval of the best.

    The interval is that of an accuracy, or of R², on so many samples. score: its name. [] where there is no choice.
    """
    found = candidates(spec, finals)
    if not found or found[0].trial.value is None:
        return []
    first = found[0].trial
    best = first.value or 0.0
    within = min(1.0, max(0.0, best))
    of_score = half_width_of_r2(val_samples, r2=within) if score == "r2" else half_width(val_samples, score=within)
    width = max(of_score, 1.0 / max(1, val_samples))
    kept = [final for final in found[:MOST] if final.trial.epochs == first.epochs and final.trial.value is not None]
    kept = [final for final in kept if best - (final.trial.value or 0.0) <= width]
    return kept if len(kept) > 1 else []


def shortened(plan: Plan) -> Plan:
    """The plan whose full trainings are those that choose."""
    return replace(plan, final_steps=max(1, round(SHARE * plan.final_steps)))


def is_spare(
    plan: Plan,
    inputs: PlanInputs,
    *,
    short: Sequence[FinalistTask],
    full: Sequence[FinalistTask],
    expected: Callable[[FinalistTask], float],
    left_s: float,
) -> bool:
    """Whether there is time for the choice besides the longest full training of the winner and its comparison.

    short: the trainings that choose. full: the first full training of each candidate, and those that the winner is
    compared with. expected: seconds of a training. left_s: until the final trainings must have ended.
    """
    if plan.final_steps < longest_final(inputs):
        return False
    references = sum(task.role != "finalist" for task in full)
    choice_s = math.ceil(len(short) / inputs.slots) * max(map(expected, short))
    full_s = math.ceil((1 + references) / inputs.slots) * max(map(expected, full))
    return choice_s + full_s <= left_s


def ranked_first(finals: Sequence[Final]) -> list[Final]:
    """The same with rank 1 for the winner, which is the first, and its rank for the one that had that.

    What follows a planned job's winner finds it by its rank.
    """
    if not finals:
        return []
    winner = finals[0].rank
    ranks = {winner: 1, 1: winner}
    return [replace(final, rank=ranks.get(final.rank, final.rank)) for final in finals]


def whole(selected: dict[int, Selection], asked: Sequence[FinalistTask]) -> dict[int, Selection]:
    """What was selected, or nothing where time ended some of the trainings: the others must not win by that."""
    return selected if all(task.rank in selected for task in asked) else {}
