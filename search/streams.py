"""One stream of random numbers for each purpose of a job, and for each trial and draw within it.

A stream is named by (purpose, job seed, numbers), and no two names share one. numpy pads short seed sequences with
zeros and splits long integers into words of 32 bits, so that [1, 2], [1, 2, 0] and [1 + (2 << 32)] may give the same
stream; here every number has two words of its own, after the purpose and the count of numbers.

Adding a purpose at the end changes no other stream. Changing a value changes every draw of that purpose: reproducible
jobs of earlier versions are then no longer replayed.
"""

from enum import IntEnum, unique

import numpy as np

WORD = 2**32


@unique
class Stream(IntEnum):
    """What the random numbers are for; the comments name the numbers that follow the seed."""

    DRAW = 1  # trial, draw: what a controller proposes
    REPAIR = 2  # trial
    LAST_REPAIR = 3  # trial
    RANDOM_ARM = 4  # trial, draw
    GRID = 5  # none: the first point of the grid
    NEIGHBOUR = 6  # centre's trial, neighbour: local search
    GP_CANDIDATE = 7  # trial, candidate
    GP_SAMPLER = 8  # trial
    GP_WEIGHTS = 9  # trial: of several objectives
    POOL = 10  # index: the surrogate's random architectures
    POINTS_KEPT = 11  # none: which points a surrogate keeps
    WEIGHTS = 12  # trial: of several objectives
    CLIMB = 13  # trial, climb
    AROUND = 14  # centre's trial
    PRACTICE = 15  # trial, round, draw: a policy that is trained on the surrogate
    PRETRAINING = 16  # step: a policy that is trained on parameter counts
    FEASIBLE = 17  # draw: whether a space has a feasible architecture
    FEASIBLE_REPAIR = 18  # none
    PROXIES = 19  # none: the weights of networks before training
    PROXY_BATCH = 20  # none: the samples that they see
    TRIAL = 21  # trial: its training
    FINAL = 22  # trial, repetition: a full training
    BATCHES = 23  # epoch: order and augmentation, of one training
    DROPOUT = 24  # epoch, and the step within it where a training goes on in its middle
    SIMPLE_MODELS = 25  # part: the samples that simple models see; 10 and up: the draws of a model
    SUBSET = 26  # class: which samples a share of the training split has
    MIRROR = 27  # none: the samples that tell whether mirror images help
    EXPECTED_MAXIMUM = 28  # none: resamples of a search's random trials, in its report
    HELD_OUT_GROUPS = 29  # 1 for the test split, 2 for the validation split: which groups of samples are held out
    FOLDS = 35  # none: which fold a sample of the training or validation split is in


def sequence(purpose: Stream, seed: int, *numbers: int) -> np.random.SeedSequence:
    """seed: a job's, 0 to 2**32 - 1. numbers: -2**63 to 2**63 - 1; those of prior trials are below 0."""
    words = [int(purpose), len(numbers)]
    for number in (seed, *numbers):
        words += divmod(number % 2**64, WORD)
    return np.random.SeedSequence(words)


def generator(purpose: Stream, seed: int, *numbers: int) -> np.random.Generator:
    """A generator at the start of its stream."""
    return np.random.default_rng(sequence(purpose, seed, *numbers))


def seed_of(purpose: Stream, seed: int, *numbers: int) -> int:
    """32 bits to seed another generator, such as torch's."""
    return int(sequence(purpose, seed, *numbers).generate_state(1)[0])
