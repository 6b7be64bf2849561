"""What the process of a task runs.

Alone in its file: a process loads the whole module of the function that it is sent, and `workers/cluster/search.py`,
with Ray Tune and the ledger, would take it two seconds more.
"""

from collections.abc import Callable
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def call(function: Callable[[Task, object], Result], task: Task, shared: object) -> Result:
    return function(task, shared)
