"""From a winner to `compressed/` in its bundle and the entry in the report; and the same for an older bundle.

compressed/model.py  weights.packed  load.py  architecture.json  README.md  (model-int8.onnx)
"""

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from archsmith.errors import TrialFailure
from search.spec import JobSpec, Json
from space.architecture import Architecture
from workers import bundle
from workers.cluster.tasks import run_tasks
from workers.compress.chain import ChainTask, Compressed, Winner, go_through
from workers.datasets import Dataset
from workers.report.page import render
from workers.train.job_data import final_data, search_data
from workers.train.recipe import Recipe
from workers.weights.inherit import Donor

FOLDER = "compressed"

README = """# {name}, made smaller

{bytes:,} bytes of weights, {smaller:.1f} times fewer than `weights.safetensors` of this bundle. {score:.4f} on the test
split, where those weights score {before:.4f}; every decision on the way was made on the validation split, and the test
split was looked at once.

```python
import torch
import load, model

net = load.load()
```

`model.predict` takes `net` as it takes the whole network. `load.py` needs torch and numpy, and says in its first lines
how `weights.packed` is written; `model.py` is the smaller network. The steps stand in `report.json` of this bundle.
"""
INT8 = """
`model-int8.onnx` is the network after `quantise_int8`, for ONNX Runtime: inputs and logits are float32, what is between
is computed with 8 bits. Its input is what `prepared` of `model.py` makes of the data. It scored {int8:.4f} on the test
split.
"""


def compress(
    spec: JobSpec,
    winner: Winner,
    dataset: Dataset,
    *,
    recipe: Recipe,
    donor: Donor | None,
    folder: Path,
    should_stop: Callable[[], bool],
) -> tuple[dict[str, bytes], Json] | None:
    """The files of a bundle, by their paths in it, and the report's entry; None where the job must be suspended.

    recipe: of the winner's final training. donor: whose weights that training started from, if any. folder: of the job,
    where the steps store their results. Where nothing came out, because the chain failed or crashed, there are no files
    and the entry has the reason as "failed".
    """
    if spec.compress is None:
        return {}, {}
    task = ChainTask(spec=spec.compress, winner=winner, folder=str(folder / "compress"), recipe=recipe)
    ended = run_tasks(
        go_through,
        [task],
        shared=(replace(search_data(dataset), donor=donor), replace(final_data(dataset), donor=donor)),
        cpus=spec.trial.cpus,
        gpus=spec.trial.gpus,
        should_stop=should_stop,
    )
    made = next((result for _, result in ended), None)
    if made is None:
        return None
    if isinstance(made, TrialFailure):
        return {}, {"failed": str(made)}
    return files(made, bundle.Preprocessing.of(dataset), name=spec.name, before=winner.final_score), made.entry


def files(made: Compressed, preprocessing: bundle.Preprocessing, *, name: str, before: float) -> dict[str, bytes]:
    """The files below `compressed/`; none where nothing came out."""
    if made.architecture is None:
        return {}
    architecture = Architecture.from_json(made.architecture)
    readme = README.format(
        name=name, bytes=len(made.packed), smaller=made.entry["smaller"], score=made.entry["final_score"], before=before
    )
    int8 = [step["final_score"] for step in made.entry["steps"] if "final_score" in step]
    content = {
        "model.py": bundle.model_source(architecture, preprocessing, reads_weights=False).encode(),
        "load.py": Path(__file__).with_name("loader.py").read_bytes(),
        "weights.packed": made.packed,
        "architecture.json": (json.dumps(made.architecture, indent=2) + "\n").encode(),
        "README.md": "".join([readme, *(INT8.format(int8=score) for score in int8)]).encode(),
        **made.files,
    }
    return {f"{FOLDER}/{path}": data for path, data in content.items()}


def read_bundle(path: Path) -> dict[str, bytes]:
    """The files of a bundle by their paths in it."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_compressed(old: Mapping[str, bytes], made: Mapping[str, bytes], report: dict[str, Any]) -> dict[str, bytes]:
    """The files of an earlier bundle with a new report and card and the new `compressed/`; without the old sums."""
    kept = {name: data for name, data in old.items() if not name.startswith(f"{FOLDER}/") and name != "SHA256SUMS"}
    shown = {"report.json": (json.dumps(report, indent=2) + "\n").encode(), "report.html": render(report).encode()}
    return bundle.with_card({**kept, **made, **shown}, report)
