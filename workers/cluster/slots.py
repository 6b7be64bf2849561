"""How many trials fit at once. Without Ray, since the API asks as well."""

import math


def slots(*, cpus: float, gpus: float, trial_cpus: float, trial_gpus: float) -> int:
    """How many trials of this size a cluster of `cpus` and `gpus` holds at once, at least one."""
    by_cpu = cpus / trial_cpus if trial_cpus else math.inf
    by_gpu = gpus / trial_gpus if trial_gpus else math.inf
    return max(1, int(min(by_cpu, by_gpu)))
