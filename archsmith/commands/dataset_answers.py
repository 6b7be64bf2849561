"""Classes, labels, targets or pixels of a data set, in words and as a table, from what the service answers."""

from collections.abc import Sequence
from typing import Any

from archsmith.values import Dataset, Json

SPLITS = ("train", "val", "test")
MAX_ROWS = 30
"""Of a table; the smallest classes are shown where there are more."""
_NOUNS = {"multilabel": "labels", "regression": "targets", "segmentation": "classes of pixels"}
_TARGET = ("least", "lower_quartile", "median", "upper_quartile", "largest", "mean", "std")


def noun(dataset: Dataset) -> str:
    """What there are several of."""
    several = _NOUNS.get(dataset.problem, "classes")
    return "target" if several == "targets" and dataset.classes == 1 else several


def of_numbers(dataset: Dataset) -> bool:
    return dataset.problem == "regression"


def number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def in_words(dataset: Dataset, *, most: int = 10) -> str:
    """One line, "" without anything to say."""
    if of_numbers(dataset):
        return "; ".join(map(_target, _targets(dataset)[:most])) + _more(len(_targets(dataset)), most)
    document = dataset.document
    names, counts = document.get("class_names") or (), document.get("counts") or ()
    told = map(_share, _shares(dataset)) if dataset.problem == "segmentation" else map(number, counts)
    pairs = list(zip(names, told, strict=False))
    if not pairs:
        return ""
    head = {"multilabel": "samples with each label: ", "segmentation": "pixels: "}.get(dataset.problem, "classes: ")
    without = _answers(dataset).get("without")
    tail = f"; {number(without)} samples have none" if without is not None else ""
    return head + ", ".join(f"{name} {count}" for name, count in pairs[:most]) + _more(len(pairs), most) + tail


def more_facts(dataset: Dataset) -> dict[str, object]:
    """Of answers that are no single class."""
    found = _answers(dataset)
    facts: dict[str, object] = {}
    if found.get("without") is not None:
        facts["without labels"] = f"{number(found['without'])} samples"
        facts["labels a sample"] = f"{found['labels_each']:.2f} on average"
    if found.get("not_judged") is not None:
        facts["not judged"] = f"{_share(found['not_judged'])} of the pixels"
        facts["masks of one class"] = number(found["one_class"])
    return facts


def answer_table(dataset: Dataset) -> tuple[list[str], list[list[str]]] | None:
    """Heads and rows: a class, label or target each; None where the service tells none."""
    if of_numbers(dataset) and _targets(dataset):
        rows = [[one["name"], *(f"{one[key]:g}" for key in _TARGET)] for one in _targets(dataset)[:MAX_ROWS]]
        more = len(_targets(dataset)) - MAX_ROWS
        rows += [[f"… and {more} more", *[""] * len(_TARGET)]] if more > 0 else []
        return ["TARGET", *(key.upper().replace("_", " ") for key in _TARGET)], rows
    return _counts(dataset)


def _counts(dataset: Dataset) -> tuple[list[str], list[list[str]]] | None:
    """A row a class with its samples, or pixels, in each split; the smallest MAX_ROWS where there are more."""
    document = dataset.document
    names, counts = document.get("class_names") or [], document.get("counts") or []
    if not names:
        return None
    by_split = document.get("split_counts") or {}
    order = list(range(len(names)))
    if len(names) > MAX_ROWS:
        order = sorted(sorted(order, key=lambda place: counts[place])[:MAX_ROWS])
    splits = [split for split in SPLITS if split in by_split]
    shares = _shares(dataset)
    rows = [
        [
            names[i],
            number(counts[i]),
            *([_share(shares[i])] if shares else []),
            *(number(by_split[s][i]) for s in splits),
        ]
        for i in order
    ]
    kind, what = {"multilabel": ("LABEL", "SAMPLES"), "segmentation": ("CLASS", "PIXELS")}.get(
        dataset.problem, ("CLASS", "SAMPLES")
    )
    heads = [kind, what, *(["SHARE"] if shares else []), *map(str.upper, splits)]
    if len(names) > MAX_ROWS:
        rows.append([f"… and {len(names) - MAX_ROWS} larger ones", *[""] * (len(heads) - 1)])
    return heads, rows


def _answers(dataset: Dataset) -> Json:
    found: Json = (dataset.document.get("check") or {}).get("answers") or {}
    return found


def _targets(dataset: Dataset) -> Sequence[Any]:
    found: Sequence[Any] = _answers(dataset).get("targets") or ()
    return found


def _shares(dataset: Dataset) -> Sequence[float]:
    found: Sequence[float] = _answers(dataset).get("shares") or ()
    return found


def _target(one: Json) -> str:
    middle = f"{one['lower_quartile']:g}, {one['median']:g} and {one['upper_quartile']:g}"
    return f"{one['name']}: {one['least']:g} to {one['largest']:g}, quartiles {middle}"


def _share(value: float) -> str:
    return f"{100 * value:.3g} %"


def _more(count: int, most: int) -> str:
    return f" and {count - most} more" if count > most else ""
