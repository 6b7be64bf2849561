"""The options that `archsmith serve` checks before it starts anything, and how it restarts its services."""

import os
import socket
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from api import __main__ as service
from api import process, serve, supervisor
from api.supervisor import Options, Service, Supervisor
from archsmith.errors import ConfigurationError, Unavailable
from search.ledger import open_ledger


def _options(tmp_path: Path, *more: str) -> list[str]:
    return ["--state", str(tmp_path / "state"), "--port", "0", *more]


def test_the_defaults() -> None:
    options = serve.read_options([], {})
    assert (options.host, options.port, options.mlflow_port) == ("127.0.0.1", 8080, 5000)
    assert options.state == Path("archsmith-data").absolute()


def test_flags_come_before_variables() -> None:
    env = {"ARCHSMITH_STATE": "/var/lib/x", "ARCHSMITH_PORT": "9000", "ARCHSMITH_WORKERS": "3"}
    options = serve.read_options(["--port", "9001"], env)
    assert (options.state, options.port, options.workers) == (Path("/var/lib/x"), 9001, 3)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_a_public_host_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match="loopback"):
        serve.read_options(["--host", host])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_hosts_are_accepted(host: str) -> None:
    assert serve.read_options(["--host", host]).host == host


@pytest.mark.parametrize(
    "flag", ["--port=0", "--port=65536", "--port=x", "--mlflow-port=-1", "--workers=0", "--jobs=1.5"]
)
def test_invalid_numbers(flag: str) -> None:
    with pytest.raises(ConfigurationError, match=flag.split("=")[0]):
        serve.read_options([flag])


def test_the_state_folder_is_private_and_locked(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    lock = serve.lock_state(state)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    with pytest.raises(ConfigurationError, match="another archsmith serve"):
        serve.lock_state(state)
    os.close(lock)
    os.close(serve.lock_state(state))
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot use the state folder"):
        serve.lock_state(tmp_path / "file")


def test_a_port_in_use_is_one_line_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert serve.main(["--state", str(tmp_path / "s"), "--port", str(port)]) == 2
    error = capsys.readouterr().err
    assert error == f"archsmith: port {port} is in use; choose another with --port\n"
    assert not (tmp_path / "s").exists()


def test_a_newer_database_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def newer(_: str) -> None:
        raise ConfigurationError("the ledger was written by a newer archsmith")

    monkeypatch.setattr(serve, "open_ledger", newer)
    monkeypatch.setattr(serve, "check_port", lambda *_: None)
    assert serve.main(["--state", str(tmp_path / "s")]) == 2
    assert capsys.readouterr().err == "archsmith: the ledger was written by a newer archsmith\n"


def test_only_the_owner_can_read_the_token(tmp_path: Path) -> None:
    serve.write_token(tmp_path / "token")
    first = (tmp_path / "token").read_text()
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert len(first) == 64
    serve.write_token(tmp_path / "token")
    assert (tmp_path / "token").read_text() != first


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, ("127.0.0.1", 8080)),
        ({"ARCHSMITH_BIND": "::1", "ARCHSMITH_PORT": "9"}, ("::1", 9)),
        ({"ARCHSMITH_BIND": "0.0.0.0", "ARCHSMITH_INSIDE_CONTAINER": "1"}, ("0.0.0.0", 8080)),
        ({"ARCHSMITH_BIND": "0.0.0.0"}, None),
        ({"ARCHSMITH_BIND": "0.0.0.0", "ARCHSMITH_INSIDE_CONTAINER": "yes"}, None),
        ({"ARCHSMITH_PORT": "http"}, None),
    ],
)
def test_the_address_of_the_service(
    env: dict[str, str], expected: tuple[str, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ARCHSMITH_BIND", "ARCHSMITH_PORT", "ARCHSMITH_INSIDE_CONTAINER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    if expected is not None:
        assert service.address() == expected
        return
    with pytest.raises(ConfigurationError, match="ARCHSMITH_"):
        service.address()


class Toys(Supervisor):
    """The real supervisor over programs of one line."""

    def __init__(self, tmp_path: Path, **programs: str) -> None:
        self._programs = programs
        options = Options(state=tmp_path, host="127.0.0.1", port=1, mlflow_port=2, workers=1, jobs=1)
        super().__init__(options)

    def _services(self) -> list[Service]:
        idle = "import time; time.sleep(60)"
        address = f"import pathlib; pathlib.Path({str(self._address_file)!r}).write_text('127.0.0.1:1'); {idle}"

        def command(name: str, default: str) -> Callable[[], list[str]]:
            return lambda: [sys.executable, "-c", self._programs.get(name, default)]

        return [
            Service(
                name="ray",
                arguments=command("ray", address),
                ready=self._address_file.is_file,
                takes_down=("dispatcher",),
            ),
            Service(name="mlflow", arguments=command("mlflow", idle)),
            Service(name="dispatcher", arguments=command("dispatcher", idle), extra=self._ray_address),
            Service(name="api", arguments=command("api", idle), extra=self._ray_address),
        ]

    def begin(self) -> None:
        for name in ("ray", "mlflow"):
            self._start(self.services[name])
            self._wait(self.services[name])
        for name in ("dispatcher", "api"):
            self._start(self.services[name])

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline
            self.look()
            time.sleep(0.02)

    def pid(self, name: str) -> int | None:
        child = self.services[name].child
        return child.pid if child else None


@pytest.mark.heavy
def test_what_dies_is_started_again(tmp_path: Path) -> None:
    toys = Toys(tmp_path)
    try:
        toys.begin()
        first = {name: toys.pid(name) for name in toys.services}
        toys.services["api"].child.kill()
        toys.until(lambda: toys.pid("api") not in (None, first["api"]))
        assert {name for name in first if toys.pid(name) != first[name]} == {"api"}
        toys.services["ray"].child.kill()
        toys.until(lambda: None not in map(toys.pid, first) and toys.pid("ray") != first["ray"])
        assert toys.pid("dispatcher") != first["dispatcher"], "drivers hold the address of the Ray that is gone"
        assert toys.pid("mlflow") == first["mlflow"]
    finally:
        toys.close()
    assert all(one.child is None for one in toys.services.values())


def test_a_service_that_cannot_start_ends_the_start(tmp_path: Path) -> None:
    toys = Toys(tmp_path, mlflow="raise SystemExit('no database')")
    toys.services["mlflow"].ready = lambda: False
    with pytest.raises(Unavailable, match=r"mlflow ended while it was starting; see .*mlflow\.log"):
        toys.run()
    assert "no database" in (tmp_path / "logs" / "mlflow.log").read_text()
    assert all(one.child is None for one in toys.services.values())


def test_an_end_that_comes_during_the_start(tmp_path: Path) -> None:
    toys = Toys(tmp_path, ray="import time; time.sleep(60)")
    toys.stop.set()
    assert toys.run() == 0
    assert all(one.child is None for one in toys.services.values())


def test_prepare_creates_a_ledger_and_a_token(tmp_path: Path) -> None:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], two.getsockname()[1]
    options = Options(state=tmp_path / "s", host="127.0.0.1", port=ports[0], mlflow_port=ports[1], workers=1, jobs=1)
    os.close(serve.prepare(options))
    assert (tmp_path / "s" / "ray-token").is_file()
    open_ledger(f"sqlite:///{tmp_path / 's' / 'archsmith.db'}").close()


def test_the_start_is_told_while_it_lasts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SAY_S", 0.0)
    monkeypatch.setattr(process, "ended", lambda _: False)
    waiter, answers = Toys(tmp_path), iter([False, False, True])
    slow = Service(name="mlflow", arguments=list, ready=lambda: next(answers), child=object())  # type: ignore[arg-type]
    slow.started = time.monotonic() - 4
    waiter._wait(slow)
    said = capsys.readouterr()
    assert said.err.splitlines() == ["archsmith: waiting for MLflow, 4 s"] * 2
    assert said.out == ""
