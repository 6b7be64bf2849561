"""The steps of compression by name, and how a step is run.

Their tasks and results are in `workers/compress/tasks.py`. A step that raises TrialFailure ends itself and not the job:
the chain continues with the network before it.
"""

import time
from collections.abc import Callable, Mapping

from safetensors.torch import load, save

from search.spec import Json
from space.analysis import analyse
from space.architecture import Architecture
from space.build import build
from workers.compress import int8
from workers.compress.fine_tuner import FineTuner, StepOutput
from workers.compress.loader import unpack
from workers.compress.lottery import lottery
from workers.compress.magnitude import prune_magnitude
from workers.compress.sharing import cluster
from workers.compress.state import State, plain
from workers.compress.structured import prune_structured
from workers.compress.tasks import EvaluationTask, StepResult, StepTask, TestEvaluation
from workers.train.job_data import JobData


def reference(state: State, tuner: FineTuner) -> StepOutput:
    """The winner's architecture trained on the training split alone, the yardstick of the search stage.

    In the final stage the winner itself. Raises TrialFailure (`diverged`, `out_of_memory`).
    """
    if not tuner.deciding:
        return StepOutput(state=state, kept=True)
    trainer = tuner.fresh(state)
    for _ in range(tuner.epochs):
        trainer.train_epoch()
    trained = state.having(trainer.module.state_dict())
    tuner.judge(lambda: tuner.score(trained))
    return StepOutput(state=trained, kept=True)


def huffman(state: State, tuner: FineTuner) -> StepOutput:  # noqa: ARG001 - no weight changes, so there is nothing to judge
    """Huffman codes for codebook indices and runs of zeros (Han et al. 2016, section 4). Changes no weight."""
    return StepOutput(state=state.having(state.weights, form="coded"), kept=True)


STEPS: Mapping[str, Callable[..., StepOutput]] = {
    "reference": reference,
    "prune_structured": prune_structured,
    "prune_magnitude": prune_magnitude,
    "lottery": lottery,
    "quantise_int8": int8.quantise_int8,
    "cluster": cluster,
    "huffman": huffman,
}


def state_of(task: StepTask | EvaluationTask) -> State:
    """The network that a step starts from. A safetensors file is unordered, so the state dict's order is restored."""
    graph, tensors = Architecture.from_json(task.architecture), load(task.weights)
    ordered = {name: tensors[name] for name in build(graph).state_dict()}
    return State(architecture=graph, weights=ordered, form=task.form)


def take(task: StepTask, data: JobData) -> StepResult:
    """Run one step. Raises TrialFailure, and ExportFailure where an exporter or runtime fails."""
    began = time.monotonic()
    verdicts = list(task.verdicts) if data.val is None else []
    tuner = FineTuner(data=data, recipe=task.recipe, floor=task.floor, verdicts=verdicts)
    before = state_of(task)
    made = STEPS[task.name](before, tuner, **task.options)
    return StepResult(
        architecture=made.state.architecture.to_json(),
        weights=save(dict(made.state.weights)),
        form=made.state.form,
        kept=made.kept,
        changed=made.state is not before,
        verdicts=tuple(tuner.verdicts),
        scores=tuple(tuner.scores),
        detail=dict(made.detail),
        seconds=time.monotonic() - began,
        measured={} if tuner.deciding else costs(made.state, tuner, before=before),
        files=made.files,
    )


def costs(state: State, tuner: FineTuner, *, before: State) -> Json:
    """What a network costs: bytes of its packed file, parameters, nonzero parameters, MACs, latency in ms.

    latency_before_ms: of the network that the step started from, measured in the same process a moment earlier: other
    load on the machine changes both figures, but hardly their ratio.
    """
    analysis = analyse(state.architecture)
    earlier = tuner.latency(before)["latency_ms"]
    return {
        "bytes": len(state.pack()),
        "params": analysis.params,
        "nonzero": state.nonzero,
        "macs": analysis.macs,
        "latency_before_ms": earlier,
        **tuner.latency(state),
    }


def evaluate(task: EvaluationTask, data: JobData) -> TestEvaluation:
    """Pack the final network, and measure on the test split what is read back from that file.

    Latencies are the better of two turns each, taken alternately. Raises TrialFailure, ExportFailure.
    """
    if data.test is None:
        raise ValueError("the evaluation needs the final splits, data.test is None")
    tuner = FineTuner(data=data, recipe=task.recipe)
    made = state_of(task)
    packed = made.pack()
    state = made.having(unpack(packed))
    score, measures = tuner.still(state).final_score(data.test)
    first = Architecture.from_json(task.before)
    winner = State(architecture=first, weights=plain(build(first).state_dict()))
    turns = [(tuner.latency(winner)["latency_ms"], tuner.latency(state)["latency_ms"]) for _ in range(2)]
    before, after = (min(column) for column in zip(*turns, strict=True))
    beside = {}
    if int8.FILE in task.files:
        runs = int8.session(task.files[int8.FILE], state, tuner)
        beside["quantise_int8"], _ = tuner.still(state, runs).final_score(data.test)
    return TestEvaluation(
        packed=packed, score=score, measures=measures, latency_before_ms=before, latency_ms=after, of_files=beside
    )
