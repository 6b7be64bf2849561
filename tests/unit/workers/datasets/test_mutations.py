"""Damaged files of each format: every one is read, or refused by name; no reader falls over.

Where a format has check sums, what is read of a damaged file is what was in it.
"""

import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsmith.errors import InvalidDataset
from tests.effort import share
from tests.unit.workers.array_sources import SOURCES
from tests.unit.workers.graph_sources import graph_tables, write_graph, write_tu
from tests.unit.workers.sources import write_zip
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.ingest import ingest

CHECKED = ("npz", "nifti", "graph npz", "graph csv", "tu")
"""In zip archives, whose bytes have check sums, but for the names of their members: an array of another name is not
used, which is told."""
GRAPHS = {
    "graph npz": ("graph", lambda folder: [write_graph(folder / "a.npz")]),
    "graph csv": ("graph", lambda folder: [write_zip(folder / "a.zip", graph_tables())]),
    "tu": ("tu", lambda folder: [write_tu(folder / "a.zip")]),
}


def _series(folder: Path, *, names: bool) -> list[Path]:
    x = np.random.default_rng(0).standard_normal((24, 9)).round(2)
    lines = [",".join([str(row % 3), *(f"{value:g}" for value in values)]) for row, values in enumerate(x)]
    head = [",".join(["label", *(f"t{step}" for step in range(9))])] if names else []
    (folder / "a.csv").write_text("\n".join([*head, *lines]) + "\n")
    return [folder / "a.csv"]


SERIES = {
    "series": ("table", lambda folder: _series(folder, names=True)),
    "series without names": ("table", lambda folder: _series(folder, names=False)),
}
ALL = {**SOURCES, **GRAPHS, **SERIES}
OPTIONS = {name: {"kind": "series"} for name in SERIES}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    made = {}
    for name, (_, write) in ALL.items():
        made[name] = write(tmp_path_factory.mktemp("source"))
    return made


def mutated(content: bytes, seed: int) -> bytes:
    """One to three bytes changed, a piece cut out, doubled, zeroed, or the end cut off."""
    rng = random.Random(seed)
    out = bytearray(content)
    at, length = rng.randrange(len(out)), rng.randrange(1, 40)
    if rng.random() < 0.5:  # headers stand at the ends
        at = rng.choice([at % 600, max(0, len(out) - 1 - at % 600)]) % len(out)
    match rng.randrange(6):
        case 0:
            del out[at:]
        case 1:
            del out[at : at + length]
        case 2:
            out[at:at] = out[at : at + length]
        case 3:
            out[at : at + length] = bytes(len(out[at : at + length]))
        case _:
            for place in (at, *(rng.randrange(len(out)) for _ in range(rng.randrange(3)))):
                out[place] = rng.randrange(256)
    return bytes(out)


def _tidy(text: str, place: str) -> bool:
    """One line, and no path of this machine."""
    return bool(text) and "\n" not in text and place not in text


def attempt(name: str, sources: list[Path], seed: int) -> DatasetInfo | None:
    """What is read when one of the files is damaged; None where it is refused in words."""
    rng = random.Random(seed)
    hit = rng.choice(sources)
    with tempfile.TemporaryDirectory() as place:
        files = []
        for path in sources:
            files.append(Path(place) / path.name)
            content = path.read_bytes()
            files[-1].write_bytes(mutated(content, seed) if path == hit else content)
        store = DataStore(Path(place) / "store")
        try:
            info = ingest(ALL[name][0], files, name="sample", store=store, **OPTIONS.get(name, {}))
        except InvalidDataset as error:
            odd = [found.detail for found in error.faults if not _tidy(found.detail, place)]
            if odd:
                pytest.fail(f"seed {seed}: {odd}")
            return None
        data = store.open("sample", seed=0)
        assert np.isfinite(np.asarray(data.x, dtype=np.float64)).all()
        assert info.classes == len(info.class_names) == len(info.counts)
        return info


@pytest.mark.heavy
@pytest.mark.parametrize("name", ALL)
def test_damaged_files_are_read_right_or_refused(sources: dict[str, list[Path]], name: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        store = DataStore(Path(place))
        good = ingest(ALL[name][0], sources[name], name="sample", store=store, **OPTIONS.get(name, {}))

    @settings(max_examples=share(400), deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.integers(0, 2**32))
    def check(seed: int) -> None:
        info = attempt(name, sources[name], seed)
        told = ("corrupt_files", "ignored_files", "warnings")
        if info is not None and name in CHECKED and all(info.report[kind] == good.report[kind] for kind in told):
            assert (info.sha256, info.class_names) == (good.sha256, good.class_names)

    check()
