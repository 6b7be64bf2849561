"""A process that restores controllers: it shares nothing with the one that made their history."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from search.factory import make_controller
from search.spec import ControllerSpec
from search.testing.toys import chain
from tests.conformance.controllers import onward, restore_from_json

ROOT = Path(__file__).resolve().parents[2]


class Fresh:
    """A process with other hashes of strings, that has loaded what controllers need: 2 s. Each question is answered by
    a fork of it, which ends then, so that no answer has anything from one before."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.conformance.fresh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def ask(self, request: dict[str, Any]) -> Any:
        """The next asks of a controller restored there. An empty line is one that failed; it has written why."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer.strip(), "the fresh process failed"
        return json.loads(answer)

    def close(self) -> None:
        self._process.communicate(timeout=60)


def main() -> None:
    import optuna  # noqa: F401
    import scipy.stats  # noqa: F401
    import torch  # noqa: F401

    for line_ in sys.stdin:
        child = os.fork()
        if not child:
            answer = _answer(json.loads(line_))
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            sys.stdout.write("\n")
            sys.stdout.flush()


def _answer(request: dict[str, Any]) -> list[list[Any]]:
    """Restore the history, ask."""
    toy = chain(2)
    spec = ControllerSpec(name=request["name"], options=request["options"])
    controller = make_controller(spec, space=toy, seed=request["seed"])
    restore_from_json(controller, request["history"])
    return onward(controller, toy, first=60)


if __name__ == "__main__":
    main()
