"""A step's result as files below the job's folder, so that a new driver continues after the last finished step."""

import json
from dataclasses import asdict
from pathlib import Path

from workers.atomic import write_whole
from workers.compress.tasks import StepResult


def write(folder: Path, key: str, result: StepResult) -> None:
    """Writes the weights and other files first and the description last, so a description means that all is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {"safetensors": result.weights, **result.files}.items():
        (folder / f"{key}.{name}").write_bytes(content)
    document = {**asdict(result), "weights": None, "files": sorted(result.files)}
    write_whole(folder / f"{key}.json", json.dumps(document))


def read(folder: Path, key: str) -> StepResult | None:
    """None for a step that is not finished."""
    path = folder / f"{key}.json"
    if not path.is_file():
        return None
    document = json.loads(path.read_text())
    files = {name: (folder / f"{key}.{name}").read_bytes() for name in document["files"]}
    lists = {name: tuple(document[name]) for name in ("verdicts", "scores")}
    weights = (folder / f"{key}.safetensors").read_bytes()
    return StepResult(**{**document, **lists, "weights": weights, "files": files})
