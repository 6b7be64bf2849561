"""Tasks and results of the steps of compression: plain values and bytes, without torch.

StepTask  ->  StepResult     one step, see `workers/compress/steps.py`
EvaluationTask  ->  TestEvaluation       the final network on the test split
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from search.spec import Json
from workers.train.recipe import Recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class StepTask:
    """architecture, weights (a safetensors file), form: of the `State` that the step begins with.

    recipe: of a full training. floor, verdicts: see `FineTuner`.
    """

    name: str
    options: Json
    architecture: Json
    weights: bytes
    form: str
    recipe: Recipe
    floor: float | None = None
    verdicts: tuple[bool, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """architecture, weights, form: of the network to continue with; changed: whether it differs from the given one.

    scores: of the search stage, one for each verdict. detail: for the report, the step's own figures.
    measured: of the final stage, the network's costs (`steps.costs`). files: of the bundle, below `compressed/`.
    """

    architecture: Json
    weights: bytes
    form: str
    kept: bool
    changed: bool
    verdicts: tuple[bool, ...]
    scores: tuple[float, ...]
    detail: Json
    seconds: float
    measured: Json = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationTask:
    """The network that came out of the chain, to be measured once on the test split.

    architecture, weights, form: of that network. before: the winner's graph. files: that steps wrote beside it.
    """

    architecture: Json
    weights: bytes
    form: str
    before: Json
    files: Mapping[str, bytes]
    recipe: Recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class TestEvaluation:
    """packed: the bundle's file of weights. score: the job's score; measures: all scores that apply, by name.

    latency_before_ms: of the winner, measured in turns with the other. of_files: scores of models that steps wrote
    beside the network, by step.
    """

    packed: bytes
    score: float
    measures: dict[str, float]
    latency_before_ms: float
    latency_ms: float
    of_files: Mapping[str, float] = field(default_factory=dict)
