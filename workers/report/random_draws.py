"""What random search of the whole search's cost would have reached, estimated from the search's own random trials.

A planned job draws every fifth trial of its search uniformly (`search/proposing/interleaved.py`). Had all of its cost
gone to such draws, there would have been n of them, and the best would have scored (Dodge et al. 2019, "Show Your
Work", equation 7, with the empirical distribution of the r random trials)

    E[best of n] = sum over i of v(i) * ((i / r)^n - ((i - 1) / r)^n),      v(1), ..., v(r) from the worst to the best

n is the cost of the search over the mean cost of a random trial, in passes over the training split, so that a busy
machine changes nothing. Trials without a value have cost something and are no draws.

Stopped early   The order is that in which a search names its best: trials that were trained to the end before stopped
                ones, those by their epochs, then by value (`workers.finalists.training.choose`); v(i) is the score that
                a trial had when it ended. A stopped trial's score is a lower bound of what it would have reached, at
                less than the full training, so the estimate is a lower bound as well. It matters little: with m of r
                trained to the end, the best of n draws is a stopped one with probability (1 - m/r)^n.
Extrapolation   With n > r the estimate supposes that nothing better than the best of r exists. It cannot exceed that
                score, and the words say so.
Interval        A bootstrap over the trials, which has the same fault: its lower end holds, its upper end does not. Over
                scores that are normal, exponential or uniform, r of 4, 12 and 24, the lower end was below the truth in
                99 to 100 % of 300 searches each; the upper end was below it too in 35 to 64 % where n = r, and in 81 to
                91 % where n = 5 r. The estimate itself is too low by 0.2 and 0.6 to 0.9 standard deviations of normal
                scores (`python -m benchmarks.intervals --only draws`; for the bias see also Tang et al. 2020). The
                reversed bootstrap interval is no remedy (50 to 76 % and 28 to 75 % of them hold). So the words say "or
                more", and claim no level of confidence.

It is no test: whether the winner is better than the best random architecture is judged by final trainings of both,
`gains.over_random`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from search.ledger import Trial
from search.objective import Objective
from search.streams import Stream, generator
from search.trial import RANDOM, TrialState
from workers.finalists.training import choose
from workers.report.statistics import LEVEL

RESAMPLES = 2_000

Floats = npt.NDArray[np.float64]


def expected_maximum(scores: Floats, draws: float) -> Floats:
    """The expected best of `draws` draws with replacement (Dodge et al. 2019, equation 7).

    scores: (..., r), from the worst to the best. Returns (...).
    """
    steps = np.linspace(0.0, 1.0, scores.shape[-1] + 1) ** draws
    found: Floats = scores @ np.diff(steps)
    return found


def bootstrap(scores: Floats, draws: float, *, seed: int) -> tuple[float, float] | None:
    """The middle LEVEL of `expected_maximum` over resamples of the trials; None for one trial. See the module's text.

    scores: (r,), from the worst to the best.
    """
    count = len(scores)
    if count < 2:
        return None
    places = generator(Stream.EXPECTED_MAXIMUM, seed).integers(count, size=(RESAMPLES, count))
    best = expected_maximum(scores[np.sort(places, axis=1)], draws)
    low, high = np.quantile(best, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return float(low), float(high)


@dataclass(frozen=True, kw_only=True, slots=True)
class RandomDraws:
    """Of one search. Its fields are described in `report.schema.json`."""

    trials: int
    completed: int
    draws: int
    expected: float
    interval: tuple[float, float] | None
    best_drawn: float
    best_of_search: float

    @property
    def extrapolated(self) -> bool:
        return self.draws > self.trials

    @property
    def words(self) -> str:
        low, high = self.interval or (0.0, 0.0)
        sure = f"{low:.4f} to {high:.4f}, whose upper end is too low" if self.interval else "unknown: a single trial"
        ended = f"{self.completed} of them" if self.completed else "none of them"
        more = "; these are more draws than were made, so it is extrapolated and cannot exceed "
        more += f"{self.best_drawn:.4f}, the best that was drawn"
        return (
            f"random search of the same cost, about {self.draws} draws, would have reached an expected best search "
            f"score of {self.expected:.4f} or more, by the {self.trials} random trials of the search ({ended} trained "
            f"to the end; bootstrap interval {sure}); the search has {self.best_of_search:.4f}"
            f"{more if self.extrapolated else ''}"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "interval": None if self.interval is None else list(self.interval),
            "level": LEVEL,
            "extrapolated": self.extrapolated,
            "words": self.words,
        }


def random_draws(
    random: Sequence[Trial],
    searched: Sequence[Trial],
    objective: Objective,
    *,
    seed: int,
    passes: Callable[[int], float] = float,
) -> RandomDraws | None:
    """None for a search that drew no trial at random, or whose objective is not the score alone.

    random: the random trials. searched: all trials of the search, these among them. passes: over the training split, of
    a trial of so many epochs.
    """
    drawn = [trial for trial in random if trial.provenance == RANDOM]
    ranked = choose(drawn, len(drawn))[::-1]
    if not ranked or objective.names != ("score",):
        return None
    scores = np.array([_score(trial) for trial in ranked])
    cost = sum(passes(trial.epochs) for trial in drawn)
    draws = max(1, round(len(ranked) * sum(passes(trial.epochs) for trial in searched) / cost))
    return RandomDraws(
        trials=len(ranked),
        completed=sum(trial.state is TrialState.COMPLETED for trial in ranked),
        draws=draws,
        expected=float(expected_maximum(scores, draws)),
        interval=bootstrap(scores, draws, seed=seed),
        best_drawn=float(scores[-1]),
        best_of_search=_score(choose(searched, 1)[0]),
    )


def _score(trial: Trial) -> float:
    """Of a trial with a value, which is its score where that is the only objective."""
    score = trial.value if trial.search_score is None else trial.search_score
    return 0.0 if score is None else score
