"""Starts the services in order, starts again what dies, ends them all by process id."""

import http.client
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from api import process
from api.routes.health import CLUSTER_BEAT, RAY_ADDRESS
from archsmith.errors import Unavailable

log = logging.getLogger("archsmith.serve")

START_S = 120.0
"""For Ray and MLflow to answer; 8 s and 12 s alone on 2 cores, much more beside other work."""
LOOK_S = 0.5
SAY_S = 2.5
"""Between two lines while services start."""
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
DISPATCHER_GRACE_S = 12.0
LAST_GRACE_S = 3.0

QUIET = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "OMP_WAIT_POLICY": "PASSIVE",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # otherwise eight more processes that outlive their parent
}
"""Set for every child: a token on Ray's ports, no telemetry, no spinning threads."""


CALLED = {"ray": "Ray", "mlflow": "MLflow", "dispatcher": "the dispatcher", "api": "the API"}


def say(text: str) -> None:
    """Of the start, on standard error: standard output has the line that says the service is ready."""
    sys.stderr.write(f"archsmith: {text}\n")
    sys.stderr.flush()


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What `archsmith serve` was asked for. workers: processors offered to trials. jobs: jobs at a time."""

    state: Path
    host: str
    port: int
    mlflow_port: int
    workers: int
    jobs: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def mlflow_url(self) -> str:
        return f"http://127.0.0.1:{self.mlflow_port}"


@dataclass(kw_only=True, slots=True)
class Service:
    """One child. ready: asked until it is true; None = at once. takes_down: services that must start again with it."""

    name: str
    arguments: Callable[[], list[str]]
    ready: Callable[[], bool] = lambda: True
    extra: Callable[[], Mapping[str, str]] = dict
    takes_down: tuple[str, ...] = ()
    child: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause_s: float = 1.0
    due: float = field(default=0.0)


def answers(url: str, path: str) -> bool:
    """Whether GET url+path gives 200 now."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Supervisor:
    """Starts, watches and ends the services. Only the main thread may use it."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.stop = threading.Event()
        self._address_file = options.state / RAY_ADDRESS
        self.services = {service.name: service for service in self._services()}

    def _services(self) -> list[Service]:
        python, options, state = sys.executable, self.options, self.options.state
        store, address = state / "mlflow", self._address_file
        head = [python, "-m", "workers.cluster", "head", "--cpus", str(options.workers), "--address-file", str(address)]
        mlflow = [
            python,
            "-m",
            "workers.tracking.mlflow_server",
        ]  # never `mlflow server`, whose assistant runs commands
        mlflow += ["--host", "127.0.0.1", "--port", str(options.mlflow_port)]
        mlflow += ["--artifacts-destination", str(store / "artifacts")]
        mlflow += ["--backend-store-uri", f"sqlite:///{store / 'mlflow.db'}"]
        mlflow += ["--allowed-hosts", f"127.0.0.1:{options.mlflow_port},localhost:{options.mlflow_port}"]
        return [
            Service(name="ray", arguments=lambda: head, ready=address.is_file, takes_down=("dispatcher",)),
            Service(name="mlflow", arguments=lambda: mlflow, ready=lambda: answers(options.mlflow_url, "/health")),
            Service(
                name="dispatcher",
                arguments=lambda: [python, "-m", "api.dispatcher", "--jobs", str(options.jobs)],
                extra=self._ray_address,
            ),
            Service(
                name="api",
                arguments=lambda: [python, "-m", "api"],
                ready=lambda: answers(options.url, "/livez"),
                extra=self._ray_address,
            ),
        ]

    def _ray_address(self) -> dict[str, str]:
        return {"ARCHSMITH_RAY_ADDRESS": self._address_file.read_text().strip()}

    def environment(self) -> dict[str, str]:
        """What every child gets."""
        options = self.options
        return process.environment(
            QUIET
            | {
                "RAY_AUTH_TOKEN_PATH": str(options.state / "ray-token"),
                "ARCHSMITH_STATE": str(options.state),
                "ARCHSMITH_BIND": options.host,
                "ARCHSMITH_PORT": str(options.port),
                "ARCHSMITH_MLFLOW_URL": options.mlflow_url,
                "ARCHSMITH_TOTAL_CPUS": str(options.workers),
            }
        )

    def run(self) -> int:
        """Serve until `stop` is set -> exit status."""
        try:
            for group in (("ray", "mlflow"), ("dispatcher", "api")):
                if self.stop.is_set():
                    break
                say(f"starting {' and '.join(CALLED[name] for name in group)}")
                for name in group:
                    self._start(self.services[name])
                for name in group:
                    self._wait(self.services[name])
            if not self.stop.is_set():
                sys.stdout.write(f"archsmith ready: {self.options.url}  mlflow: {self.options.mlflow_url}\n")
                sys.stdout.flush()
            while not self.stop.wait(LOOK_S):
                self.look()
        finally:
            self.close()
        return 0

    def _start(self, service: Service) -> None:
        if service.name == "ray":
            self._address_file.unlink(missing_ok=True)
        folder = self.options.state
        (folder / "mlflow").mkdir(exist_ok=True)
        env = self.environment() | dict(service.extra())
        path = folder / "logs" / f"{service.name}.log"
        service.child = process.spawn(service.arguments(), cwd=folder, env=env, log=path)
        service.started = time.monotonic()
        log.info("%s started (pid %d)", service.name, service.child.pid)

    def _wait(self, service: Service) -> None:
        """Until the service answers or the end is asked for. Raises Unavailable when it died or is too slow."""
        path, said = self.options.state / "logs" / f"{service.name}.log", time.monotonic()
        while not self.stop.is_set():
            if service.child is None or process.ended(service.child):
                raise Unavailable(f"{service.name} ended while it was starting; see {path}")
            if service.ready():
                return
            if time.monotonic() - service.started > START_S:
                raise Unavailable(f"{service.name} did not answer within {START_S:.0f} s; see {path}")
            if time.monotonic() - said >= SAY_S:
                said = time.monotonic()
                say(f"waiting for {CALLED[service.name]}, {said - service.started:.0f} s")
            self.stop.wait(0.1)

    def look(self) -> None:
        """One look at every child; one that died starts again after a pause that doubles while it keeps dying."""
        now = time.monotonic()
        for service in self.services.values():
            if service.child is not None and process.ended(service.child):
                code = process.reap(service.child)
                service.child = None
                service.pause_s = 1.0 if now - service.started > STEADY_S else min(2 * service.pause_s, LONGEST_PAUSE_S)
                service.due = now + service.pause_s
                log.warning("%s ended with %d, starting again in %.0f s", service.name, code, service.pause_s)
                self._take_down(service)
        for service in self.services.values():
            if service.child is None and now >= service.due and self._can_start(service):
                self._start(service)

    def _take_down(self, service: Service) -> None:
        """Ends what holds on to something that is gone: drivers keep the address of one Ray cluster."""
        for name in service.takes_down:
            other = self.services[name]
            if other.child is not None:
                process.stop([other.child], grace_s=DISPATCHER_GRACE_S)
                other.child = None
        if service.name == "ray":
            self._forget_cluster()

    def _forget_cluster(self) -> None:
        """What says where the cluster is and that it works: a later start with a Ray of its own must not read it."""
        self._address_file.unlink(missing_ok=True)
        (self.options.state / CLUSTER_BEAT).unlink(missing_ok=True)

    def _can_start(self, service: Service) -> bool:
        return service.name in ("ray", "mlflow") or self._address_file.is_file()

    def close(self) -> None:
        """No request is taken any more, drivers put their jobs back, then what they needed ends."""
        for names, grace_s in ((("api", "dispatcher"), DISPATCHER_GRACE_S), (("mlflow", "ray"), LAST_GRACE_S)):
            services = [self.services[name] for name in names]
            process.stop([one.child for one in services if one.child is not None], grace_s=grace_s)
            for one in services:
                one.child = None
        self._forget_cluster()
