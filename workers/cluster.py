"""The Ray cluster: start one, join one, run a job's trials and finalists on it.

    python -m workers.cluster head   [--cpus N] [--gpus N] [--address-file PATH] [--port P --node-ip IP]
    python -m workers.cluster worker --address HOST:PORT [--cpus N] [--gpus N]

Without --port the head is private to this machine: its GCS and raylet end with this process, however it ends, and it
ends, with status 1, when one of them does. `ray start --block`, which the others become, ends with its node as well.
With --port other machines may join (and must carry the same token).
"""

import argparse
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import ray
from ray import tune
from ray.exceptions import RayError, RayTaskError
from ray.tune.search import SearchGenerator

from archsmith.errors import TrialFailure
from search.spec import JobSpec
from workers import membership, node_folder
from workers.control import Control
from workers.remote import Result, Task, call
from workers.scheduler import EarlyStoppingScheduler
from workers.searcher import LedgerSearcher
from workers.trial import ProcessSpoiled, Start, TrialActor

log = logging.getLogger(__name__)

LOOK_S = 0.5
TASKS_IN_A_PROCESS = 4
"""A fresh process loads torch and the data first, 3 s of a processor: as long as a short final training takes."""


def slots(cpus: float, gpus: float) -> int:
    """How many trials of this size the whole cluster can hold at once, at least one."""
    total: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    by_cpu = total.get("CPU", 0.0) / cpus if cpus else float("inf")
    by_gpu = total.get("GPU", 0.0) / gpus if gpus else float("inf")
    return max(1, int(min(by_cpu, by_gpu)))


def shortage(cpus: float, gpus: float) -> str | None:
    """What a trial of this size waits for now, in words, or None when it fits."""
    free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
    for kind, wanted in (("cpu", cpus), ("gpu", gpus)):
        available = free.get(kind.upper(), 0.0)
        if wanted > available + 1e-6:
            return f"{wanted:g} {kind}, {available:g} free"
    return None


def run_search(
    searcher: LedgerSearcher,
    *,
    spec: JobSpec,
    data: Any,
    control: Control,
    folder: Path,
    start: Start | None = None,
) -> None:
    """Run trials until the searcher or the control says that the search is over; no trial runs any more then.

    Raises ClusterAway.
    """
    actor = tune.with_parameters(TrialActor, data=data, start=start)
    actors = _Actors(searcher)
    tuner = tune.Tuner(
        tune.with_resources(actor, {"CPU": spec.trial.cpus, "GPU": spec.trial.gpus}),
        tune_config=tune.TuneConfig(
            search_alg=SearchGenerator(searcher),
            scheduler=EarlyStoppingScheduler(searcher),
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=lambda trial: f"t{trial.trial_id}",
            trial_dirname_creator=lambda trial: f"t{trial.trial_id}",
        ),
        run_config=tune.RunConfig(
            name="search",
            storage_path=str(folder),
            stop=_ControlStopper(control, actors),
            verbose=0,
            log_to_file=False,
            # Trials write their own checkpoints, by rename and only while they live.
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            callbacks=[actors],
        ),
    )
    try:
        tuner.fit()
    except RayError:
        membership.check()
        raise
    membership.check()
    shutil.rmtree(folder, ignore_errors=True)


def run_tasks(
    function: Callable[[Task, Any], Result],
    tasks: Sequence[Task],
    *,
    shared: Any,
    cpus: float,
    gpus: float,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Task, Result | TrialFailure]]:
    """Call function(task, shared) for each task on the cluster; yields (task, result or failure) as they finish.

    A task whose process dies is run again, twice at most. Stops early, ending what runs, when `should_stop` says so.
    A process serves TASKS_IN_A_PROCESS of them, and then gives back whatever they left in it. Raises ClusterAway.
    """
    reference = ray.put(shared)
    remote: Any = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=2, max_calls=TASKS_IN_A_PROCESS)(call)
    running = {remote.remote(function, task, reference): task for task in tasks}
    while running and not should_stop():
        done, _ = ray.wait(list(running), num_returns=1, timeout=0.5)
        for item in done:
            yield running.pop(item), _result(item)
    for item in running:
        ray.cancel(item, force=True)


def _result(item: Any) -> Any:
    try:
        return ray.get(item)
    except RayTaskError as error:
        membership.check()
        first = (str(error.cause).splitlines() or [""])[0]
        return TrialFailure(f"crashed: {type(error.cause).__name__}: {first[:300]}", cause="crashed")
    except RayError as error:
        membership.check()
        log.warning("%s", error)
        return TrialFailure(f"worker lost repeatedly: {type(error).__name__}", cause="lost")


class _Actors(tune.Callback):
    """The processes that trials run in: when they begin, how they die, and their end with the search."""

    def __init__(self, searcher: LedgerSearcher) -> None:
        self._searcher = searcher
        self._alive: dict[str, Any] = {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        self._searcher.on_trial_start(trial.trial_id)
        self._alive[trial.trial_id] = trial.temporary_state.ray_actor

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        self._alive.pop(trial.trial_id, None)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        told = Path(trial.error_file).read_text(encoding="utf-8") if trial.error_file else ""
        if ProcessSpoiled.__name__ not in told:
            log.warning("the process of Tune trial %s died: %s", trial.trial_id, told[-2000:])
        self._alive.pop(trial.trial_id, None)

    def end(self) -> None:
        """End those in the middle of an epoch. Asked to end, they would finish it first; Tune waits 10 s and more."""
        while self._alive:
            ray.kill(self._alive.popitem()[1])


class _ControlStopper(tune.Stopper):
    """Ends the whole search, never a single trial."""

    def __init__(self, control: Control, actors: _Actors) -> None:
        self._control, self._actors = control, actors

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002
        return False

    def stop_all(self) -> bool:
        stopping = self._control.stopping
        if stopping:
            self._actors.end()
        return stopping

    def __getstate__(self) -> dict[str, Any]:  # Tune pickles it to resume; we resume from the ledger
        return {}


def _head(options: argparse.Namespace) -> int:
    if options.port:
        _ray_start(
            "--head",
            "--include-dashboard=false",
            f"--port={options.port}",
            *_size(options),
            f"--node-ip-address={options.node_ip}",
        )
    state = os.environ.get("ARCHSMITH_STATE")
    membership.connect("", cpus=options.cpus, state=Path(state) if state else None)
    address = ray.get_runtime_context().gcs_address
    if options.address_file:
        part = options.address_file.with_suffix(".part")
        part.write_text(address)
        part.replace(options.address_file)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    dead = None
    while dead is None and not done.wait(LOOK_S):
        dead = membership.dead_part()
    if dead is not None:
        sys.stderr.write(f"{dead} is gone, and the cluster with it\n")
    membership.disconnect()
    return 0 if dead is None else 1


def _worker(options: argparse.Namespace) -> int:
    _ray_start(f"--address={options.address}", *_size(options))


def _size(options: argparse.Namespace) -> list[str]:
    sizes = {"--num-cpus": options.cpus, "--num-gpus": options.gpus}
    return [f"{flag}={value}" for flag, value in sizes.items() if value is not None]


def _ray_start(*arguments: str) -> NoReturn:
    program = str(Path(sys.executable).with_name("ray"))
    folder = node_folder.take(None)
    os.set_inheritable(folder.lock, True)
    fixed = ["--block", "--disable-usage-stats", f"--temp-dir={folder.path}"]
    os.execve(program, [program, "start", *arguments, *fixed], {**os.environ, **membership.ENVIRONMENT})  # noqa: S606


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.cluster", description="Start a node of the Ray cluster.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    head = kinds.add_parser("head")
    head.add_argument("--address-file", type=Path)
    head.add_argument("--port", type=int)
    head.add_argument("--node-ip", default="127.0.0.1")
    worker = kinds.add_parser("worker")
    worker.add_argument("--address", required=True)
    for kind in (head, worker):
        kind.add_argument("--cpus", type=int)
        kind.add_argument("--gpus", type=int)
    options = parser.parse_args(arguments)
    return _head(options) if options.kind == "head" else _worker(options)


if __name__ == "__main__":
    sys.exit(main())
