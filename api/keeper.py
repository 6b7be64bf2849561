"""`python -m api.keeper COMMAND…`: runs a program that does not look after its own children.

`mlflow server` starts its worker as a child and leaves it behind, still serving, when it is ended itself. The keeper is
the leader of their process group: when it is told to end, or its own parent dies, the whole group ends.
"""

import os
import signal
import subprocess
import sys
import time

GRACE_S = 2.0


def main(command: list[str]) -> int:
    ending: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: ending.append(got))
    child = subprocess.Popen(command)
    while child.poll() is None and not ending:
        time.sleep(0.1)
    if not ending:
        return child.returncode or 0
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)  # ourselves as well: nothing of the group stays
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
