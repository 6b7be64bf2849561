"""The weights of the best trial so far, as files of the job's folder: what there is to hand out before the job ends.

After an epoch, the trial's own process writes its weights where no trial of the job has a better value, whole or not at
all. The file's name and its metadata say what was measured with exactly these weights, so a new driver needs nothing
but the folder. Files that were beaten are removed by the driver. An epoch that beats nothing costs one look at a folder
of a few files.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from search.trial import Measurement
from workers.atomic import write_whole

if TYPE_CHECKING:
    from torch import nn

FOLDER = "best_weights"
_LENGTH = 8
"""Bytes of the length of the header of a safetensors file, which is JSON."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BestWeights:
    """number, epoch: of the trial and its measurement. score: on the validation split. value: of the objective."""

    path: Path
    number: int
    epoch: int
    score: float
    value: float

    @property
    def order(self) -> tuple[float, int]:
        """The larger, the better; of equals the lower number, as for incumbents."""
        return self.value, -self.number


def offer(folder: Path, module: "nn.Module", *, number: int, measurement: Measurement, value: float) -> bool:
    """Writes the weights with which `measurement` was made, if none in the folder are better -> whether it did.

    Raises OSError (disk full).
    """
    from safetensors.torch import save

    best = next(iter(found(folder)), None)
    if best is not None and best.order >= (value, -number):
        return False
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    about = {"score": repr(measurement.score), "value": repr(value)}
    write_whole(folder / f"{number}-{measurement.epoch}.safetensors", save(tensors, metadata=about))
    return True


def found(folder: Path) -> list[BestWeights]:
    """All that are there, the best first. A file that is removed meanwhile, or is none of ours, is left out."""
    return sorted(_found(folder), key=lambda one: one.order, reverse=True)


def drop_all_but(best: BestWeights, folder: Path) -> None:
    """Removes what was beaten. A trial that still trains writes each epoch to another file, so none is lost."""
    for other in found(folder):
        if other.order < best.order:
            other.path.unlink(missing_ok=True)


def _found(folder: Path) -> Iterator[BestWeights]:
    for path in folder.glob("*-*.safetensors"):
        number, _, epoch = path.stem.partition("-")
        try:
            about = _metadata(path)
            yield BestWeights(
                path=path,
                number=int(number),
                epoch=int(epoch),
                score=float(about["score"]),
                value=float(about["value"]),
            )
        except (OSError, KeyError, ValueError):
            continue


def _metadata(path: Path) -> Mapping[str, str]:
    """Raises OSError, KeyError, ValueError for a file that is none of ours."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        if length > path.stat().st_size:
            raise ValueError(f"a header of {length} bytes")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("the header is no object")
    found: Mapping[str, str] = header["__metadata__"]
    return found
