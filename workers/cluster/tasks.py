"""Functions called on the cluster; a process runs a few of them."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from archsmith.errors import TrialFailure
from workers.cluster import connection
from workers.cluster.remote import Result, Task, call

log = logging.getLogger(__name__)

TASKS_IN_A_PROCESS = 4
"""A new process first loads torch and the data, 3 s of a processor: as long as a short final training takes."""


def run_tasks(
    function: Callable[[Task, Any], Result],
    tasks: Sequence[Task],
    *,
    shared: Any,
    cpus: float,
    gpus: float,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Task, Result | TrialFailure]]:
    """Calls function(task, shared) for each task on the cluster; yields (task, result or failure) as they finish.

    An exception of the function becomes a TrialFailure (`crashed`). A task whose process dies is run again, at most
    twice, and then becomes a TrialFailure (`lost`). Stops early, ending what runs, when `should_stop` says so. A
    process ends after TASKS_IN_A_PROCESS tasks, which frees whatever they left in it. Raises ClusterAway.
    """
    reference = ray.put(shared)
    remote: Any = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=2, max_calls=TASKS_IN_A_PROCESS)(call)
    running = {remote.remote(function, task, reference): task for task in tasks}
    while running and not should_stop():
        done, _ = ray.wait(list(running), num_returns=1, timeout=0.5)
        for item in done:
            yield running.pop(item), result_of(item)
    for item in running:
        ray.cancel(item, force=True)


def result_of(item: Any) -> Any:
    """What a call on the cluster gave, or a TrialFailure. Raises ClusterAway."""
    try:
        return ray.get(item)
    except RayTaskError as error:
        connection.check()
        log.error("a task crashed: %s", error)  # the text ends with the traceback of the process
        first = (str(error.cause).splitlines() or [""])[0]
        return TrialFailure(f"crashed: {type(error.cause).__name__}: {first[:300]}", cause="crashed")
    except RayError as error:
        connection.check()
        log.warning("%s", error)
        return TrialFailure(f"worker lost repeatedly: {type(error).__name__}", cause="lost")
