"""A bundle from before the end of a job: the best network so far with the weights of its trial.

It has `model.py`, weights, labels, manifest, card and picture. Manifest, card and file name say that it is
provisional, the first two also what is missing. Left out is what takes long or comes last: the exported forms, the
example, the report.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from space.architecture import Architecture
from workers.bundle.exports import EXAMPLE, ONNX, PROGRAM
from workers.bundle.manifest import Preprocessing, Provisional
from workers.bundle.publish import Published, contents, summed, zipped

REASON = "it is made at the end of the job"
LEFT_OUT: Mapping[str, str] = dict.fromkeys((PROGRAM, ONNX, EXAMPLE, "report.json", "report.html"), REASON)


def publish_provisional(
    folder: Path,
    *,
    architecture: Architecture,
    weights: bytes,
    preprocessing: Preprocessing,
    report: dict[str, Any],
    provisional: Provisional,
) -> Published:
    """Write the zip below `folder`, under a name of its own content: whoever reads an earlier one reads it to its end.

    report: what the card tells of job, data set and search so far.
    """
    files = contents(
        architecture=architecture,
        weights=weights,
        preprocessing=preprocessing,
        report=report,
        left_out=LEFT_OUT,
        provisional=provisional,
    )
    return zipped(folder, summed(files), name="provisional-{sha256:.16}.zip")
