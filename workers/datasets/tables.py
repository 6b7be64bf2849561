"""Tables as text: of pixels, see `table`, or where series are asked for a series a line, see `series_table`."""

from collections.abc import Sequence
from pathlib import Path

from workers.datasets import series_table, table
from workers.datasets.raw import RawDataset, fault


def read(sources: Sequence[Path], *, scratch: Path, kind: str | None = None) -> RawDataset:
    """kind: "series", or "image" as without it. Raises InvalidDataset."""
    if kind == "series":
        return series_table.read(sources, scratch=scratch)
    if kind not in (None, "image"):
        detail = f"a table holds pictures or series, not {kind}s; upload volumes as arrays"
        raise fault("combination_unsupported", detail)
    return table.read(sources, scratch=scratch)
