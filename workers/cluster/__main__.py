"""The Ray cluster: start one, join one, run a job's trials and finalists on it.

    python -m workers.cluster head   [--cpus N] [--gpus N] [--address-file PATH] [--port P --node-ip IP]
    python -m workers.cluster worker --address HOST:PORT [--cpus N] [--gpus N]

Without --port the head is private to this machine: its GCS and raylet end with this process, however it ends, and it
ends, with status 1, when one of them does. `ray start --block`, which the others become, ends with its node as well.
With --port other machines may join (and must carry the same token).
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import ray

from workers.cluster import connection, node_folder

LOOK_S = 0.5


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
    connection.connect("", cpus=options.cpus, state=Path(state) if state else None)
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
        dead = connection.dead_part()
    if dead is not None:
        sys.stderr.write(f"{dead} is gone, and the cluster with it\n")
    connection.disconnect()
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
    os.execve(program, [program, "start", *arguments, *fixed], {**os.environ, **connection.ENVIRONMENT})  # noqa: S606


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
