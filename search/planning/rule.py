"""The rule that turns budget, data and measured seconds into a plan. A pure function of its inputs.

    whole job = start + search + (random arm) + final trainings + bundle + a reserve

1. The batch grows with the data: about 32 steps a pass, between 16 and 128 samples.
2. A training that has converged takes `wanted` steps: 24 passes over 50,000 samples, more over fewer, at least 8.
3. Search and its rungs get SEARCH of what is left beside start and bundle, and at least LEAST_SEARCH of the whole, but
   no more than MOST_SEARCH of what is left, where start and bundle take most of a short job.
   Of the rest WINNER goes to the winner's full training, the other part to comparison: to baseline, best random
   architecture and further seeds. With the random trials of the search, which have no time of their own since they
   teach it as well, comparison takes about a fifth of the whole. A full comparison has a random arm beside that.
4. A search that could make A whole trainings (with early stopping) tries ARCHITECTURES * sqrt(A) architectures, so that
   twice the time buys 1.4 times the architectures and trainings 1.4 times as long; fewer below KNEE, where trainings
   are so short that they hardly rank. Once trials are trained as long as they need, more time buys architectures alone.
5. The rungs of a trial rise by ETA up to its whole training; the first is as short as still ranks (RANKS steps).

More time never gives fewer architectures or a shorter final training: both are minima and maxima of terms that rise
with the budget. The length of a trial may fall by a step where one more architecture is tried.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

from archsmith.errors import Fault, InvalidInput
from search.planning.values import Plan, PlanInputs

SMALLEST_BATCH, LARGEST_BATCH, STEPS_OF_A_PASS = 16, 128, 32
"""Digits (1,149 samples), 8 epochs: 0.971 with batches of 128, 0.982 with 38."""

MASK_PIXELS = 2**21
"""Of a batch of pictures with masks: 32 of 256×256, or 8 of 512×512. A network for them computes at the pictures' size
on its way down and up; 20 such maps of 16 channels take 2.7 GB in a step."""

PASSES, AT_SAMPLES, FALL, FEWEST_PASSES, MOST_PASSES = 24.0, 50_000, 0.4, 8.0, 100.0
FEWEST_STEPS, GRAPH_STEPS = 300, 400
"""Steps of a converged training at least; and of one on nodes or links (Cora: 0.821 after 384)."""

RESERVE = 0.03
"""Share of the budget that no phase gets: for what a phase takes longer than its time."""
SEARCH, LEAST_SEARCH, MOST_SEARCH = 0.56, 0.45, 0.75
WINNER = 0.72
"""Share of what is left after the search, and after its random arm where it has one."""
FULL_SEARCH, FULL_ARM = 0.4, 0.4
"""Of a job that wants a random arm of the search's own cost."""

ARCHITECTURES, KNEE = 22.0, 12.0
MOST_ARCHITECTURES = 10_000
ETA, MOST_RUNGS, RANKS = 3, 4, 64
LEAK = 1.5
"""Trials that go on at a rung, over one in ETA: no trial waits for others, so the first ones go on too easily. Of
38 trials on Fashion-MNIST 50, 32 and 10 % reached the second, third and fourth rung."""
BESIDE_S = 0.3
"""Of a trial: building, asking the controller, Tune (`python -m benchmarks.overhead`)."""
LEAST_STEPS = 16
"""Of a trial or a final training, below which nothing is learned."""
SLOWEST = 1.5
"""Seconds of a slow architecture over an average one, for which a trial's time limit leaves room."""
QUARTER = 0.25
"""Of the search's seconds: the most that one trial may take."""
ALONE = 0.9
"""Of the time of final trainings that the winner's first may take where others are trained beside it."""
STEADY = 0.7
"""Share of the time that a reproducible job plans with, since no clock ends any of its phases."""
IN_ORDER = 4
"""Trials at a time in a reproducible job (`search/proposing/in_order.py`)."""

WIDE = 0.08
"""Half-width of a score's 95 % interval on the validation split from which a plan warns."""
UNEQUAL = 5.0


def make_plan(given: PlanInputs) -> Plan:
    """Raises InvalidInput where the budget is too small for one architecture, with the least that would do."""
    plan = _plan(given)
    if plan is not None:
        return plan
    least = least_seconds(given)
    detail = (
        f"{given.seconds:g} s are too few for one architecture on this data and machine: at least {least} s, of which"
        f" start and bundle take {given.start_s + given.bundle_s:.0f}"
    )
    raise InvalidInput(
        Fault(pointer="/budget/seconds", rule="budget_too_small", detail=detail, allowed={"minimum": least})
    )


def least_seconds(given: PlanInputs) -> int:
    """The smallest budget for which there is a plan, whole seconds."""
    low, high = 0, 1
    while _plan(replace(given, seconds=float(high))) is None:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _plan(replace(given, seconds=float(middle))) else (middle, high)
    return high


def batch_size(samples: int, *, fixed: int | None = None) -> int:
    """Samples of a batch: a power of two near samples / STEPS_OF_A_PASS, within bounds; `fixed` where the job says."""
    wanted = fixed or 1 << round(math.log2(max(1.0, samples / STEPS_OF_A_PASS)))
    return min(samples, wanted if fixed else min(LARGEST_BATCH, max(SMALLEST_BATCH, wanted)))


def batch_of(given: PlanInputs) -> int:
    """Samples of a batch of a job: as `batch_size`, of pictures with masks no more than `most_masks` unless it says."""
    size = batch_size(given.samples, fixed=given.batch)
    return min(size, most_masks(given.input_shape)) if given.task == "segmentation" and not given.batch else size


def most_masks(input_shape: tuple[int, ...]) -> int:
    """Pictures of (C, H, W) with MASK_PIXELS pixels together, at least two."""
    return max(2, MASK_PIXELS // math.prod(input_shape[1:]))


def wanted_steps(given: PlanInputs) -> int:
    """Steps after which a training on this data has converged."""
    if given.pass_steps is not None:
        return GRAPH_STEPS
    passes = PASSES * math.pow(AT_SAMPLES / given.samples, FALL)
    return max(FEWEST_STEPS, round(min(MOST_PASSES, max(FEWEST_PASSES, passes)) * pass_steps(given, given.samples)))


def pass_steps(given: PlanInputs, samples: int) -> int:
    """Steps of one pass over so many samples."""
    return given.pass_steps or max(1, samples // batch_of(given))


def rung_steps(whole: int) -> tuple[int, ...]:
    """The cumulative steps at which a training of `whole` steps is scored."""
    return _rungs(whole, _rung_count(whole))


def trial_seconds(rungs: tuple[int, ...], *, step_s: float, score_s: float, halving: bool) -> float:
    """Expected seconds of one architecture.

    halving: whether weak trials are stopped at rungs, so that LEAK / ETA of those at one reach the next.
    """
    reached, before, seconds = 1.0, 0, BESIDE_S
    for steps in rungs:
        seconds += reached * ((steps - before) * step_s + score_s)
        reached, before = reached * (LEAK / ETA if halving else 1.0), steps
    return seconds


def halves(given: PlanInputs) -> bool:
    """Whether weak trials are stopped at rungs."""
    return given.halving and not given.reproducible


def final_steps(given: PlanInputs, seconds: float, *, step_s: float) -> int:
    """Steps of a full training that fit in so many seconds, its start and its score included; 0 for none."""
    fitting = int((seconds - given.load_s - 2 * given.score_s) / step_s)
    return max(0, min(longest_final(given), fitting))


def slots(given: PlanInputs) -> int:
    """Trials at a time."""
    return min(given.slots, IN_ORDER) if given.reproducible else given.slots


def _plan(given: PlanInputs) -> Plan | None:
    """None where not even one architecture fits."""
    parts = _parts(given)
    if parts is None:
        return None
    search, arm, winner, turns = parts
    steady = STEADY if given.reproducible else 1.0
    final_time = ALONE * (winner + turns) if given.slots > 1 else winner
    final = final_steps(given, steady * final_time, step_s=given.step_s)
    most = min(_longest(given), int(QUARTER * search / SLOWEST / given.step_s), final)
    if most < min(LEAST_STEPS, _longest(given), longest_final(given)) or final < min(LEAST_STEPS, longest_final(given)):
        return None
    room = steady * search * slots(given)
    count = _architectures(given, room)
    if count < 1:
        return None
    rungs = rung_steps(max(1, min(most, _affordable(given, room / count))))
    once = given.load_s + final * given.step_s + 2 * given.score_s
    return Plan(
        seconds=given.seconds,
        batch_size=batch_of(given),
        pass_steps=pass_steps(given, given.samples),
        final_pass_steps=pass_steps(given, given.final_samples),
        rungs=rungs,
        share=_share(given, rungs[-1]),
        resolution=None,
        architectures=count,
        final_steps=final,
        trainings=max(1, int(steady * (winner + turns) / once) * given.slots),
        limit_s=QUARTER * search,
        start_s=given.start_s,
        search_s=search,
        arm_s=arm,
        winner_s=winner,
        turns_s=turns,
        bundle_s=given.bundle_s,
        step_s=given.step_s,
        score_s=given.score_s,
        load_s=given.load_s,
        warnings=tuple(warnings(given)),
    )


def _parts(given: PlanInputs) -> tuple[float, float, float, float] | None:
    """Seconds of search, random arm, the winner's full training, the other ones; None where nothing is left."""
    usable = (1.0 - RESERVE) * given.seconds - given.start_s - given.bundle_s
    full = given.full_comparison and given.random_arm
    least = min(LEAST_SEARCH * given.seconds, MOST_SEARCH * usable)
    search = FULL_SEARCH * usable if full else max(SEARCH * usable, least)
    arm = FULL_ARM * usable if full else 0.0
    rest = usable - search - arm
    if usable <= 0 or rest <= 0:
        return None
    return search, arm, WINNER * rest, (1.0 - WINNER) * rest


def _longest(given: PlanInputs) -> int:
    """Most steps of a trial."""
    wanted = wanted_steps(given)
    return wanted if given.epochs is None else max(1, min(wanted, given.epochs * pass_steps(given, given.samples)))


def longest_final(given: PlanInputs) -> int:
    """Most steps of a full training: as many passes over more samples."""
    each = pass_steps(given, given.final_samples)
    converged = wanted_steps(given) * each // pass_steps(given, given.samples)
    return converged if given.final_epochs is None else min(converged, given.final_epochs * each)


def _architectures(given: PlanInputs, room: float) -> int:
    """How many fit in `room` seconds of one processor, by rule 4 and below all ceilings; 0 for none."""
    longest = _longest(given)
    whole, least = (
        trial_seconds(rung_steps(steps), step_s=given.step_s, score_s=given.score_s, halving=halves(given))
        for steps in (longest, min(LEAST_STEPS, longest))
    )
    trainings = room / whole
    count = max(1, int(ARCHITECTURES * math.sqrt(trainings) * min(1.0, (trainings / KNEE) ** 0.25)), int(trainings))
    return min(count, int(room / least), *_ceilings(given, longest))


def _ceilings(given: PlanInputs, longest: int) -> Iterator[int]:
    yield MOST_ARCHITECTURES
    if given.trials is not None:
        yield given.trials
    if given.walks is not None:
        yield max(1, given.walks)
    if given.total_epochs is not None:
        each = trial_seconds(rung_steps(longest), step_s=1.0, score_s=0.0, halving=halves(given)) - BESIDE_S
        yield max(1, int(given.total_epochs * pass_steps(given, given.samples) / each))


def _affordable(given: PlanInputs, seconds: float) -> int:
    """The longest training whose expected seconds, with rungs and early stopping, are at most `seconds`."""
    best, halving = LEAST_STEPS, halves(given)
    for count in range(1, MOST_RUNGS + 1):
        rungs = _rungs(10**6 * ETA ** (count - 1), count)
        each = (trial_seconds(rungs, step_s=1.0, score_s=0.0, halving=halving) - BESIDE_S) / rungs[-1]
        beside = trial_seconds(rungs, step_s=0.0, score_s=given.score_s, halving=halving)
        steps = int((seconds - beside) / (each * given.step_s))
        if count < MOST_RUNGS:  # a longer training has more rungs, and more scores
            steps = min(steps, RANKS * ETA**count - 1)
        if steps > best and _rung_count(steps) == count:
            best = steps
    return best


def _rung_count(whole: int) -> int:
    return next((count for count in range(MOST_RUNGS, 1, -1) if whole >= RANKS * ETA ** (count - 1)), 1)


def _rungs(whole: int, count: int) -> tuple[int, ...]:
    return tuple(max(1, round(whole / ETA**power)) for power in range(count - 1, -1, -1))


def _share(given: PlanInputs, steps: int) -> float:
    """Of the training split: all of it unless a whole trial is less than one pass; at least 20 samples a class."""
    seen = steps * batch_of(given)
    if given.pass_steps is not None or seen >= given.samples:
        return 1.0
    return min(1.0, math.ceil(100 * max(seen, 20 * given.classes) / given.samples) / 100)


def half_width(samples: int, *, score: float = 0.5) -> float:
    """Of the 95 % interval of an accuracy measured on so many samples (normal approximation of the binomial)."""
    return 1.96 * math.sqrt(score * (1.0 - score) / samples) if samples else 1.0


def half_width_of_r2(samples: int, *, r2: float) -> float:
    """The same of R², 0 to 1 (its large-sample variance 4 R² (1 - R²)² / n, Wishart 1931)."""
    return 1.96 * 2.0 * math.sqrt(r2 / samples) * (1.0 - r2) if samples else 1.0


def margin_in_words(samples: int, *, what: str = "a score", width: float | None = None) -> str:
    """What a score of 0.5 on so many samples may stand for. width: half of its interval; None = that of an accuracy."""
    width = half_width(samples) if width is None else width
    return f"{what} of 0.5 on so few may stand for {max(0.0, 0.5 - width):.2f} to {min(1.0, 0.5 + width):.2f} (95 %)"


def warnings(given: PlanInputs) -> Iterator[str]:
    width = half_width(given.val_samples)
    if width > WIDE and given.task == "segmentation":
        yield (
            f"the validation split has {given.val_samples} pictures, and these are what is drawn, not their pixels:"
            " architectures whose scores are close to each other cannot be ranked"
        )
    elif width > WIDE:
        yield (
            f"the validation split has {given.val_samples} samples: {margin_in_words(given.val_samples)}, so"
            " architectures whose scores are closer to each other than that cannot be ranked"
        )
    sizes = [size for size in given.class_sizes if size]
    if sizes and max(sizes) > UNEQUAL * min(sizes):
        yield (
            f"the largest class has {max(sizes) / min(sizes):.1f} times the samples of the smallest: consider the score"
            " balanced_accuracy and class_weights 'balanced'"
        )
