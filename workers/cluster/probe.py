"""`python -m workers.cluster.probe --address HOST:PORT --beat PATH`: whether the cluster runs tasks.

It runs a task on the cluster every PERIOD_S and touches PATH after each. It ends, with status 1, when the cluster is
away.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from archsmith.errors import ClusterAway, ConfigurationError
from workers.cluster.connection import check, connect

PERIOD_S = 2.0


PATIENCE_S = 20.0
"""For one task, which takes 2 ms on a quiet machine."""


class _Answer:
    def ping(self) -> None:
        """Nothing; that it comes back is the point."""


def _probe(beat: Path) -> None:
    """Until the cluster is away. An actor, since a new process for each task would cost a second of a processor.

    Raises ClusterAway, RayError.
    """
    # on this node: the end of another one is not the end of the cluster
    here: Any = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor: Any = ray.remote(num_cpus=0, scheduling_strategy=here)(_Answer).remote()
    ray.get(actor.ping.remote(), timeout=3 * PATIENCE_S)
    while True:
        check()
        beat.touch()
        time.sleep(PERIOD_S)
        ray.get(actor.ping.remote(), timeout=PATIENCE_S)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.cluster.probe")
    parser.add_argument("--address", required=True)
    parser.add_argument("--beat", required=True, type=Path)
    options = parser.parse_args(arguments)
    try:
        connect(options.address)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # in the place of Ray's
        _probe(options.beat)
    except (ClusterAway, ConfigurationError, RayError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    return 1


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # Ray's threads wait for a cluster that is away
