"""Whether the classes of a data set are so unequal that accuracy hides the small ones."""

from workers.conventions import score_name
from workers.datasets.info import DatasetInfo

RATIO = 5.0
"""Samples of the largest class for each of the smallest, above which `balanced_accuracy` is proposed."""


def unequal_classes(score: str, info: DatasetInfo, task: str, *, weighted: bool = False) -> str | None:
    """What was seen and what to do, without a full stop; None where there is nothing to say.

    score: of the job's objective, perhaps "auto". weighted: whether the job has class weights already. Links have as
    many pairs without a link, and the area under the ROC curve and balanced accuracy do not depend on the sizes of
    classes.
    """
    if score_name(score, task, info.problem) != "accuracy" or task != info.tasks[0] or task == "links":
        return None
    sizes = [(count, name) for count, name in zip(info.counts, info.class_names, strict=True) if count]
    (least, small), (most, large) = min(sizes), max(sizes)
    if most <= RATIO * least:
        return None
    weights = "" if weighted else ", and trial.class_weights to 'balanced' so that it does in the training too"
    return (
        f"the classes are unequal: {large!r} has {most:,} samples and {small!r} {least:,} ({most / least:.1f} to 1): "
        f"never to answer {small!r} costs little accuracy; set objective.score to 'balanced_accuracy' if every class "
        f"counts alike{weights}"
    )
