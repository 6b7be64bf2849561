"""Tasks on the cluster one after another, each begun only while it fits into the time that is left."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ray

from archsmith.errors import TrialFailure
from workers.cluster.remote import Result, Task, call
from workers.cluster.tasks import TASKS_IN_A_PROCESS, result_of


def run_in_turns(
    function: Callable[[Task, Any], Result],
    tasks: Sequence[Task],
    *,
    shared: Any,
    cpus: float,
    gpus: float,
    slots: int,
    fits: Callable[[Task], bool],
    begun: Callable[[Task], None],
    should_stop: Callable[[], bool],
    time_over: Callable[[], bool],
) -> Iterator[tuple[Task, Result | TrialFailure]]:
    """As `run_tasks`, with at most `slots` at a time, in the order of `tasks`.

    fits: whether a task may begin now; those that may not are left out. begun: called as one begins. time_over: ends
    what runs, with a TrialFailure (`timeout`). should_stop: ends what runs, and yields nothing for it.
    """
    reference = ray.put(shared)
    remote: Any = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=2, max_calls=TASKS_IN_A_PROCESS)(call)
    waiting, running = deque(tasks), dict[Any, Task]()
    while not should_stop():
        while waiting and len(running) < slots:
            task = waiting.popleft()
            if fits(task):
                begun(task)
                running[remote.remote(function, task, reference)] = task
        if not running:
            return
        done, _ = ray.wait(list(running), num_returns=1, timeout=0.5)
        for item in done:
            yield running.pop(item), result_of(item)
        if running and time_over():
            break
    for item, task in running.items():
        ray.cancel(item, force=True)
        if not should_stop():
            yield task, TrialFailure("timeout: the time of the final trainings was over", cause="timeout")
