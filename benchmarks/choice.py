"""What a choice among finalists by validation scores gains, against what its time costs; nothing is trained.

    python -m benchmarks.choice [--jobs 20000] [--architectures 40] [--seed 0]

Simulated searches: true final scores `spread` points apart, search scores with a correlation of 0.8 to them besides
their noise (a training's, and that of the validation split). The best two or three are trained on the training split
alone for a third of the winner's time (correlation 0.95 to the final scores), scored on validation, and the best one is
trained in full in the time that is left. Against it: the top scorer, trained in full in all of the time.

    gain          points of true final score by the choice alone
    when close    the same where it is only made if the first two search scores differ by less than their noise,
                  a mean over the jobs in which it is made; `share` of the jobs
    worth from    the choice pays at equal time if a training twice as long gains fewer points than this. With `slots`
                  trainings at a time, candidates are trained beside each other
"""

import argparse
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
THIRD, SEARCH_RANKS, THIRD_RANKS, ACCURACY = 1 / 3, 0.8, 0.95, 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """spread: standard deviation of true final scores, points. noise: of a training, points. val: samples."""

    spread: float
    noise: float
    val: int

    @property
    def search_noise(self) -> float:
        """Of one score: the training's and the validation split's, points."""
        return math.hypot(self.noise, 100 * math.sqrt(ACCURACY * (1 - ACCURACY) / self.val))


WORLDS = (
    World(spread=0.5, noise=0.15, val=10_000),
    World(spread=1.0, noise=0.2, val=10_000),
    World(spread=2.0, noise=0.3, val=6_000),
    World(spread=2.0, noise=0.5, val=1_000),
    World(spread=2.0, noise=1.0, val=200),
    World(spread=2.0, noise=2.0, val=60),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """gain: points, of all jobs. close_gain: of the `share` of jobs whose first two scores are close."""

    gain: float
    close_gain: float
    share: float


def simulated(world: World, *, top: int, architectures: int, jobs: int, seed: int) -> Choice:
    """The choice among the best `top` of each search."""
    rng = np.random.default_rng(seed)
    true = world.spread * rng.normal(size=(jobs, architectures))
    scores = _seen(true, world, SEARCH_RANKS, rng)
    first = np.argsort(-scores, axis=1)[:, :top]
    final = np.take_along_axis(true, first, axis=1)
    ranked = np.take_along_axis(scores, first, axis=1)
    chosen = np.argmax(_seen(final, world, THIRD_RANKS, rng), axis=1)
    gains = final[np.arange(jobs), chosen] - final[:, 0]
    close = ranked[:, 0] - ranked[:, 1] < math.sqrt(2) * world.search_noise
    return Choice(gain=float(gains.mean()), close_gain=float(gains[close].mean()), share=float(close.mean()))


def _seen(true: Array, world: World, correlation: float, rng: np.random.Generator) -> Array:
    """Scores whose expected values have this correlation to the true ones."""
    apart = world.spread * math.sqrt(1 / correlation**2 - 1)
    return true + apart * rng.normal(size=true.shape) + world.search_noise * rng.normal(size=true.shape)


def doublings(top: int, slots: int) -> float:
    """By how many doublings the winner's full training is shorter, where the choice takes a third of its time."""
    return math.log2(1 + THIRD * math.ceil(top / slots))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--architectures", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("spread noise    val  top    gain  when close  share   worth from: 1 slot  2 slots")
    for world in WORLDS:
        for top in (2, 3):
            found = simulated(world, top=top, architectures=options.architectures, jobs=options.jobs, seed=options.seed)
            worth = "  ".join(f"{found.close_gain / doublings(top, slots):>7.2f}" for slots in (1, 2))
            job = f"{world.spread:>6} {world.noise:>5} {world.val:>6} {top:>4} {found.gain:>7.2f}"
            print(f"{job} {found.close_gain:>11.2f} {found.share:>6.2f} {'':>10} {worth}")


if __name__ == "__main__":
    main()
