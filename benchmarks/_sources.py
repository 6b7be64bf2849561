"""The data sets that the benchmarks send to a service, and the space of their jobs."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from archsmith.client import Client


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One data set. files: below the data folder; () for digits, which every service has."""

    name: str
    space: str = "chain"
    format: str = ""
    files: tuple[str, ...] = ()
    image_size: int | None = None


FASHION = tuple(
    f"fashion_mnist/{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
)
SOURCES = {
    source.name: source
    for source in (
        Source(name="digits"),
        Source(name="mutag", space="graph_class", format="tu", files=("mutag/MUTAG.zip",)),
        Source(name="cora", space="graph_node", format="graph", files=("cora/cora.npz",)),
        Source(name="adrenal", space="volume3d", format="npz", files=("adrenalmnist3d/adrenalmnist3d.npz",)),
        Source(
            name="trashnet", space="resnet", format="images", files=("trashnet/trashnet_half.zip",), image_size=64
        ),
        Source(name="fashion", format="idx", files=FASHION),
    )
}  # fmt: skip


def add_data(parser: argparse.ArgumentParser) -> None:
    """The option --data, the folder of the files."""
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ARCHSMITH_DATA", "../shared/data")))


def registered(client: Client, source: Source, data: Path) -> None:
    """Sends the data set, unless the service has it."""
    if source.name in {dataset.name for dataset in client.datasets()}:
        return
    files = [data.absolute() / file for file in source.files]
    client.upload_dataset(source.name, source.format, files, image_size=source.image_size)
