"""What the doctor finds on this machine, and on worse ones."""

import json
import socket
from pathlib import Path

import pytest

from api import doctor
from api.doctor import OK, WARNING, WRONG, Check


def _run(*arguments: str) -> tuple[int, str]:
    lines: list[str] = []
    code = doctor.main([*arguments], write=lines.append)
    return code, "".join(lines)


def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_gpu", lambda: Check(name="gpu", state=OK, found="none"))


def test_every_check_says_what_it_found_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fast(monkeypatch)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, out = _run("--state", str(tmp_path / "new" / "state"), "--port", port, "--json")
    found = {one["name"]: one for one in map(json.loads, out.splitlines())}
    assert {"python", "packages", "processors", "memory", "shared memory", "disk", "clock"} <= found.keys()
    assert found["python"]["state"] == OK
    assert found[f"port {port}"]["state"] == WARNING
    assert all(one["cure"] for one in found.values() if one["state"] != OK)
    assert code == int(any(one["state"] == WRONG for one in found.values()))
    assert not (tmp_path / "new").exists(), "nothing is made"


def test_what_is_wrong_ends_with_1_and_names_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fast(monkeypatch)
    monkeypatch.setattr(doctor, "_meminfo", lambda: (doctor.GIB, doctor.GIB))
    monkeypatch.setattr(doctor, "LEAST_PYTHON", (99, 0))
    monkeypatch.setattr(doctor, "PACKAGES", ("no-such-package",))
    code, out = _run("--state", str(tmp_path))
    assert code == 1
    assert "wrong   python: " in out
    assert "wrong   memory: 1.0 GiB" in out
    assert "-> install no-such-package" in out


@pytest.mark.parametrize(("text", "limit"), [("max 100000\n", None), ("150000 100000\n", 1.5), ("rubbish", None)])
def test_the_processors_of_a_container(tmp_path: Path, text: str, limit: float | None) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert doctor._cgroup_processors(tmp_path / "cpu.max") == limit
    assert doctor._cgroup_processors(tmp_path / "none") is None


def test_a_container_with_fewer_processors_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_cgroup_processors", lambda: 0.5)
    check = doctor._processors()
    assert check.state == WARNING
    assert "--workers 1" in check.cure


def test_a_state_folder_that_cannot_be_written_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("api.doctor.tempfile.NamedTemporaryFile", refused)
    check = doctor._writable(tmp_path)
    assert (check.state, "Permission denied" in check.found) == (WRONG, True)
