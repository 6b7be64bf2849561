"""Files that are there whole or not at all, whenever the process or the machine stops."""

import os
import secrets
from pathlib import Path


def write_whole(path: Path, data: bytes | str, *, previous: Path | None = None) -> None:
    """Replaces `path` in one step: written beside it, synced to the disk, then renamed.

    Folders that are missing are made; text is UTF-8. previous: where the file that `path` was is kept. Two writers at
    once each write a file of their own, and the later rename wins. A writer that is killed leaves `NAME.*.part`.
    Raises OSError (disk full), and then `path` is what it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and path.exists():
            path.replace(previous)
        part.replace(path)
    finally:  # renamed, it has another name by now
        part.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Without this a rename may be lost when the power fails, though the file's content is on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
