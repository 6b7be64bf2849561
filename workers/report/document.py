"""The document that would be posted to run a job again, and the digests that identify documents."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from search.planning.given import given_document
from search.planning.values import Plan
from search.spec import JobSpec
from workers.train.numerics import Numerics


def again(spec: JobSpec, numerics: Numerics, plan: Plan | None = None) -> dict[str, Any]:
    """The body of `POST /v1/jobs` for the same search, with the precision and layout that the calibration chose.

    Another calibration might choose differently, and another precision gives other scores. A reproducible job has its
    plan as well, since another machine would measure other times.
    """
    trial = spec.trial
    if numerics.source == "calibration":
        trial = replace(trial, precision=numerics.precision, layout=numerics.layout)
    fixed = given_document(plan) if plan is not None and spec.reproducible else spec.plan
    document = replace(spec, trial=trial, plan=fixed).to_json()
    if (
        not spec.budget.planned
    ):  # the search's seconds are no field of a request; epochs and seconds are never both given
        document["budget"] = {name: value for name, value in document["budget"].items() if name != "seconds"}
    controller = spec.controller
    return {**document, "controller": {"name": controller.name, **controller.options}}


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of a document's canonical JSON: keys sorted, no spaces."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
