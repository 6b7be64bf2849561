"""A trainer's state on disk: replaced in one step, and never loaded from a damaged file.

A file is a line of text, the SHA-256 of what follows, and a `torch.save` that is read back with `weights_only=True`.
The line names the torch version, since no other version is promised to read it. The previous state is kept as
`NAME.prev`, in case the newest is torn or has a flipped bit.
"""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from workers.atomic import write_whole

MAGIC = f"archsmith checkpoint 1, torch {torch.__version__}\n".encode()
_HEAD = len(MAGIC) + hashlib.sha256().digest_size


def save(path: Path, state: dict[str, Any]) -> None:
    """Replaces `path` in one step; the file that was there becomes the previous one. Raises OSError (disk full)."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getbuffer()
    content = b"".join([MAGIC, hashlib.sha256(payload).digest(), payload])
    write_whole(path, content, previous=_previous(path))


def load(path: Path) -> dict[str, Any] | None:
    """The newest undamaged state, with tensors on the CPU: that of `path`, else the previous one, else None."""
    for candidate in (path, _previous(path)):
        state = _read(candidate)
        if state is not None:
            return state
    return None


def remove(path: Path) -> None:
    """Removes the checkpoint and the previous one, if they exist."""
    path.unlink(missing_ok=True)
    _previous(path).unlink(missing_ok=True)


def _previous(path: Path) -> Path:
    return path.with_name(path.name + ".prev")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    head, payload = content[:_HEAD], content[_HEAD:]
    if head != MAGIC + hashlib.sha256(payload).digest():
        return None
    state: dict[str, Any] = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    return state
