"""What people call things, by problem: the words of card, report and command. A new problem is one more row."""

from collections.abc import Mapping
from dataclasses import dataclass

SAMPLES: Mapping[str, str] = {
    "image": "images",
    "volume": "volumes",
    "nodes": "the nodes of a graph",
    "graphs": "graphs",
    "links": "links between the nodes of a graph",
}
"""Kind of data -> what people call its samples."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """column, columns: what one output of the network, and several, are for.

    model: what a network is, with {of} for its samples. predicts: what `archsmith predict` does with files.
    outputs: how answers are made of what the network gives.
    """

    column: str
    columns: str
    model: str
    predicts: str
    outputs: str


_CLASSES = Wording(
    column="class",
    columns="classes",
    model="A classifier of {of}",
    predicts="classifies files",
    outputs="logits, of which softmax makes the probabilities of the classes",
)
WORDING: Mapping[str, Wording] = {
    "classification": _CLASSES,
    "ordinal": Wording(
        column=_CLASSES.column,
        columns="ordered classes",
        model="A classifier of {of} into ordered classes",
        predicts=_CLASSES.predicts,
        outputs=_CLASSES.outputs,
    ),
    "multilabel": Wording(
        column="label",
        columns="labels",
        model="A classifier of {of} with any number of labels each",
        predicts="names the labels of files",
        outputs="logits, of which a sigmoid makes the probability of each label by itself",
    ),
    "regression": Wording(
        column="target",
        columns="targets",
        model="A regression model for {of}",
        predicts="estimates the targets for files",
        outputs="standardised values: output · `target_std` + `target_mean`, both in `bundle.json`, is in the units of "
        "the targets",
    ),
}
"""Problem -> its words."""


def counted(problem: str, count: int) -> str:
    """For example "10 classes", "1 target"."""
    words = WORDING[problem]
    return f"{count} {words.column if count == 1 else words.columns}"
