"""Number type and memory layout for one network: a few of its own steps under each, before it is trained.

The reference network of the job's calibration is one of full convolutions; grouped and depthwise ones and group norms
may reverse the order. `python -m benchmarks.step_cost` on two cores with AMX, Fashion-MNIST-shaped input, where the
reference network takes 59, 34 and 23 ms a step in fp32, fp32 channels-last and bf16 channels-last; random networks of
each preset, mean ms, and the share of these that the fastest setting of each network takes:

                 fp32          fp32 channels-last    bf16 channels-last
    chain        135   0.67     98   0.92            147   0.62
    branching    201   0.58    154   0.76            119   0.99
    mobile       296   0.59    173   1.00            456   0.38
    resnet       625   0.44    496   0.55            274   1.00

So the job's one setting, bf16 there, costs chains 1.6 and mobile networks 2.6 times their time. Timing three settings
took 5 to 11 steps of the job's own, in a new process up to 31.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from archsmith.errors import TrialFailure
from workers.train.job_data import JobData
from workers.train.prepare import new_trainer
from workers.train.recipe import Recipe

log = logging.getLogger(__name__)

Setting = tuple[str, str]
"""Precision and layout."""

STEPS = 2
"""Of each setting: one that prepares the kernels, and the one that is timed."""
MARGIN = 1.1
"""Another setting must beat the job's by this factor: one step is timed to about 5 %."""


def fastest(architecture: dict[str, Any], data: JobData, values: Recipe, settings: Sequence[Setting]) -> Recipe:
    """`values` with the setting under which a step of this network takes least: the job's own unless it is beaten.

    The steps are made by networks of their own, so the one that is trained starts as it would have. Timed on a CPU in
    seconds of processor time, since the machine is shared. A setting that fails is left out.
    """
    own = (values.precision, values.layout)
    seconds = {
        setting: _step_seconds(architecture, data, values, setting)
        for setting in {own: None, **dict.fromkeys(settings)}
    }
    best = min(seconds, key=lambda setting: seconds[setting])
    if best == own or seconds[own] < MARGIN * seconds[best]:
        return values
    log.info("%s, %s instead of %s, %s: %.2f of the time", *best, *own, seconds[best] / seconds[own])
    return replace(values, precision=best[0], layout=best[1])


def _step_seconds(architecture: dict[str, Any], data: JobData, values: Recipe, setting: Setting) -> float:
    """Infinite where the network does not run under it."""
    rungs = (*range(1, STEPS + 1), 10**6)
    timed = replace(
        values, precision=setting[0], layout=setting[1], epochs=len(rungs), rungs=rungs, schedule="one_cycle", ema=0.0
    )
    clock = time.process_time if values.device == "cpu" else time.perf_counter
    try:
        trainer = new_trainer(architecture, data, timed)
        for _ in range(STEPS):
            began = clock()
            trainer.train_epoch()  # reads the loss back, so a GPU has finished
    except TrialFailure:
        return float("inf")
    return clock() - began
