"""What an answer is, what can be maximised and minimised then, and what is wrong with a job that asks for another."""

from archsmith.errors import Fault
from search.spec import JobSpec

PROBLEMS = ("classification", "ordinal", "multilabel", "regression", "segmentation")
"""One class; one of classes in an order; any of several labels; numbers; a class for each pixel."""

SCORES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "auc": "area under the ROC curve",
    "average_precision": "average precision",
    "quadratic_kappa": "quadratically weighted kappa",
    "mean_average_precision": "mean average precision",
    "f1": "macro F1",
    "r2": "R²",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "mean_iou": "mean intersection over union",
    "pixel_accuracy": "pixel accuracy",
}
"""Name of a score -> what people call it."""

ERRORS = ("mae", "rmse")
"""Of SCORES, those in the units of the targets, of which less is better. They are shown and never maximised."""

PROBLEM_SCORES: dict[str, tuple[str, ...]] = {
    "classification": ("accuracy", "balanced_accuracy", "auc"),
    "ordinal": ("quadratic_kappa", "accuracy", "balanced_accuracy"),
    "multilabel": ("mean_average_precision", "f1"),
    "regression": ("r2",),
    "segmentation": ("mean_iou", "pixel_accuracy"),
}
"""What a search can maximise, the default first; for links that is "auc"."""

LOSSES: dict[str, tuple[str, ...]] = {
    "classification": ("cross_entropy",),
    "ordinal": ("squared_steps", "cross_entropy"),
    "multilabel": ("binary_cross_entropy",),
    "regression": ("mse", "mae", "huber"),
    "segmentation": ("cross_entropy", "dice"),
}
"""What a training can minimise, the default first."""

HOLDS = {
    "classification": "classes",
    "ordinal": "classes in an order",
    "multilabel": "several labels a sample",
    "regression": "numbers",
    "segmentation": "masks",
}
"""Problem -> what the answers of such a data set are, in words."""


def all_of(names: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The different names of PROBLEM_SCORES or LOSSES."""
    return tuple(dict.fromkeys(name for found in names.values() for name in found))


def score_name(asked: str, task: str, problem: str = "classification") -> str:
    """What "auto" means for a task and a problem: the AUC for links, else the first of PROBLEM_SCORES."""
    if asked != "auto":
        return asked
    return "auc" if task == "links" else PROBLEM_SCORES[problem][0]


def loss_name(asked: str, problem: str) -> str:
    """What "auto" means for a problem: the first of LOSSES."""
    return LOSSES[problem][0] if asked == "auto" else asked


def faults(spec: JobSpec, *, problem: str, classes: int) -> list[Fault]:
    """A score, a loss or class weights that do not suit the data set's answers. classes: K, labels or targets too."""
    asked = {
        "/objective/score": ("score", spec.objective.score, PROBLEM_SCORES),
        "/trial/loss": ("loss", spec.trial.loss, LOSSES),
    }
    found = [
        _unsuited(where, what, name, names, problem=problem, dataset=spec.dataset)
        for where, (what, name, names) in asked.items()
        if name not in ("auto", *names[problem])
    ]
    return found + _of_weights(spec, problem=problem, classes=classes)


def _unsuited(
    where: str, what: str, name: str, names: dict[str, tuple[str, ...]], *, problem: str, dataset: str
) -> Fault:
    suited = [other for other, own in names.items() if name in own]
    of = f" is for {' and '.join(HOLDS[other] for other in suited)}, and" if suited else " does not exist for what"
    detail = f"the {what} {name[:60]!r}{of} the data set {dataset!r} holds {HOLDS[problem]}: use "
    detail += " or ".join(names[problem])
    if name in ERRORS and what == "score":
        detail = f"{name} is an error, of which less is better: it is reported, and the score to maximise is r2"
    allowed = ["auto", *names[problem]]
    return Fault(pointer=where, rule="combination_unsupported", detail=detail, allowed=allowed)


def _of_weights(spec: JobSpec, *, problem: str, classes: int) -> list[Fault]:
    given, where = spec.trial.class_weights, "/trial/class_weights"
    if given == "none":
        return []
    if problem == "regression":
        detail = f"the data set {spec.dataset!r} holds numbers, which have no classes to weigh: leave class_weights out"
        return [Fault(pointer=where, rule="combination_unsupported", detail=detail, allowed=["none"])]
    if isinstance(given, str) or len(given) == classes:
        return []
    detail = f"class_weights has {len(given)} numbers, and the data set {spec.dataset!r} has {classes} "
    detail += "labels" if problem == "multilabel" else "classes"
    detail += ": give one for each, in the order of the data set's class_names"
    return [Fault(pointer=where, rule="out_of_range", detail=detail, allowed={"length": classes})]
