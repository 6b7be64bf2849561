"""Prices a job by one calibration trial: `python -m workers.pricing.dry_run --slots N < SPEC.json`.

Random architectures of the space are drawn and analysed. The one of median cost is the calibration trial: it is trained
on the job's own data with its own recipe for PACE_S seconds. A cheap and an expensive one are timed as well, for a
shorter while, to interpolate between them. The answer is written to the standard output.
"""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from archsmith.errors import ArchsmithError, InvalidInput, JobFailure
from search import limits
from search.spec import JobSpec
from search.validate import Samples, repaired, sample
from space.analysis import analyse
from space.architecture import Architecture
from space.constraint import Constraint
from space.space import Space
from workers.datasets import Dataset, DataStore
from workers.datasets.balance import unequal_classes
from workers.pricing.planned import planned
from workers.pricing.price import Look, Timed, price
from workers.settings import Settings
from workers.train.job_data import JobData, search_data
from workers.train.numerics import Numerics
from workers.train.prepare import new_trainer, recipe

REFUSED = 3
"""Exit code where the job is refused; the faults are then on the standard output."""

DRAWS = 60
PACE_S, GLANCE_S = 4.0, 1.5
STAT = Path("/proc/self/stat")
COUNTED = 100_000
"""Steps allowed for counting the walks of a space, since a space smaller than the budget ends the search early."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.pricing.dry_run")
    parser.add_argument("--slots", type=int, required=True, help="trials at once")
    options = parser.parse_args(arguments)
    try:
        spec = JobSpec.from_json(json.load(sys.stdin))
        answer = run(Settings.from_env(), spec, slots=options.slots)
    except InvalidInput as error:
        json.dump({"faults": [asdict(fault) for fault in error.faults]}, sys.stdout)
        return REFUSED
    except ArchsmithError as error:
        sys.stderr.write(f"{str(error).splitlines()[0]}\n")
        return 1
    json.dump(answer, sys.stdout, allow_nan=False)
    return 0


def run(settings: Settings, spec: JobSpec, *, slots: int) -> dict[str, Any]:
    """The price as JSON. slots: trials at once. Raises JobFailure where no architecture satisfies the constraints."""
    dataset = DataStore(settings.datasets).open(spec.dataset, seed=spec.seed, task=spec.space.get("data"))
    if spec.budget.planned:
        return planned(settings, spec, dataset, slots=slots)
    space = Space.parse(
        spec.space, input_shape=dataset.info.input_shape, classes=dataset.classes, tasks=(dataset.task,)
    )
    constraints = (*space.constraints, *limits.known(limits.parsed(spec.objective.constraints)))
    drawn = sample(space, constraints, limit=DRAWS, seed=spec.seed)
    ranked = sorted(_feasible(space, constraints, drawn, seed=spec.seed), key=lambda graph: analyse(graph).macs)
    timed, start_s = _timed(spec, search_data(dataset), ranked, dataset)
    size = space.size(COUNTED)
    weighted = spec.trial.class_weights != "none"
    warning = unequal_classes(spec.objective.score, dataset.info, dataset.task, weighted=weighted)
    look = Look(
        timed=timed,
        macs=[analyse(architecture).macs for architecture in ranked],
        start_s=start_s,
        final_share=len(dataset.final_train) / len(dataset.search_train),
        walks=size.count,
    )
    return {
        **price(spec, look, slots=slots).to_json(),
        "calibration": [{"macs": row.macs, "params": row.params, "epoch_s": round(row.epoch_s, 4)} for row in timed],
        "warnings": [warning] if warning is not None else [],
        "space": {"size_log10": size.log10, "size_exact": size.exact, "feasible_share": drawn.feasible / drawn.walks},
    }


def _feasible(space: Space, constraints: Sequence[Constraint], drawn: Samples, *, seed: int) -> list[Architecture]:
    """The draws that satisfy all constraints; if there is none, one found by repair, as controllers do it."""
    found = [attempt.architecture for attempt in drawn.draws if not attempt.violation]
    nearest = None if found or drawn.exhaustive else repaired(space, constraints, drawn, seed=seed)
    if nearest is not None and not nearest.violation:
        found.append(nearest.architecture)
    if not found:
        raise JobFailure(
            f"all of {drawn.walks} random architectures break a constraint: none to calibrate with; loosen them"
        )
    return found


def _timed(spec: JobSpec, data: JobData, ranked: Sequence[Architecture], dataset: Dataset) -> tuple[list[Timed], float]:
    """ranked: by MACs. Times a cheap, a median, an expensive one; returns also the seconds of the process's start."""
    places = sorted({round(share * (len(ranked) - 1)) for share in (0.1, 0.5, 0.9)})
    middle = places[len(places) // 2]
    found: dict[int, Timed] = {}
    start_s = math.inf
    for place in sorted(places, key=lambda place: place != middle):
        architecture = ranked[place]
        trainer = new_trainer(architecture.to_json(), data, recipe(spec, _plain(spec), dataset, epochs=10**6, seed=0))
        start_s = min(start_s, _age_s())
        seconds = trainer.pace(PACE_S if place == middle else GLANCE_S)
        costs = analyse(architecture)
        found[place] = Timed(macs=costs.macs, params=costs.params, epoch_s=seconds)
    return [found[place] for place in places], start_s


def _age_s() -> float:
    """Seconds since this process started, including its imports. The kernel counts from boot, in ticks."""
    fields = STAT.read_text(encoding="utf-8").rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _plain(spec: JobSpec) -> Numerics:
    """fp32 where the job leaves it to the calibration, which can only find something faster."""
    precision, layout = (spec.trial.precision, spec.trial.layout)
    return Numerics(
        precision="fp32" if precision == "auto" else precision,
        layout="nchw" if layout == "auto" else layout,
        source="fixed",
    )


if __name__ == "__main__":
    sys.exit(main())
