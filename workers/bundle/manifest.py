"""`bundle.json`: what a program must know to prepare inputs for the model. Numbers and words only."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from archsmith.errors import Fault, InvalidBundle
from workers.conventions import GRAPH_TASKS, PROBLEMS, are_marks
from workers.datasets.columns import names_of
from workers.datasets.raw import chunks, item_bytes
from workers.wording import counted

if TYPE_CHECKING:
    from space.architecture import Architecture
    from workers.datasets import Dataset

SCHEMA_VERSION = "1"
TOLERANCES: Mapping[str, float] = {"model.py": 1e-5, "model.pt2": 1e-5, "model.onnx": 1e-4}
"""How far the logits of each form may be from the stored ones: |a - b| <= tolerance · (1 + |b|)."""

UNITS = 10.0
"""Data sets with values of this and more are no fractions: inputs up to 1 are noticed, and up to 1/200 of the range."""
Pictures = Literal["fit", "auto", "pad", "exact"]
Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Preprocessing:
    """How the trainer prepared the raw arrays: (x - mean) / std per channel or feature, or marks over their row's sum.

    Of the answers, how those of the network are read.

    dtype: of x, "uint8" or "float32". labels: names of the columns of the output.
    pictures: how picture files of the data set were scaled into a square, see `workers.datasets.images`: "fit" for
    its "crop", "auto" or "pad"; with values of float32 their levels were kept as stored;
    "exact" where it came as arrays, so that only pictures of the same size are known to be like it.
    low, high: the range of all values of x, so that an input in other units is noticed.
    columns: names of the features of nodes in their order, () where they have none. source: the data set's format.
    transposed: whether rows and columns of the pictures in its files were exchanged.
    problem: what an answer is, one of `workers.conventions.PROBLEMS`. target_mean, target_std: of each target of a
    regression, by which the network's outputs are standardised; else ().
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    dtype: str
    labels: tuple[str, ...]
    pictures: Pictures = "exact"
    low: float = 0.0
    high: float = 255.0
    columns: tuple[str, ...] = ()
    source: str = ""
    transposed: bool = False
    problem: str = "classification"
    target_mean: tuple[float, ...] = ()
    target_std: tuple[float, ...] = ()

    @classmethod
    def of(cls, dataset: "Dataset") -> "Preprocessing":
        """Of an opened data set, for its task. Reads all of x once, in chunks."""
        low, high = _range(dataset.x)
        from_files = dataset.info.format in ("images", "parquet")
        return cls(
            mean=dataset.mean,
            std=dataset.std,
            dtype=dataset.info.dtype,
            labels=dataset.class_names,
            pictures=_pictures(dataset.info.report.get("image_fit", "crop" if from_files else "")),
            low=low,
            high=high,
            columns=names_of(dataset.info.report),
            source=dataset.info.format,
            transposed=bool(dataset.info.report.get("transposed", False)),
            problem=dataset.problem,
            target_mean=dataset.target_mean,
            target_std=dataset.target_std,
        )

    @property
    def range(self) -> str:
        return f"{self.dtype} values as in the data set, {self.low:g} to {self.high:g}"

    def small(self, data: str) -> float:
        """Inputs whose largest value is this or less are most likely in other units, though they lie in the range.

        data: a kind of `space.kinds`. 0 where that cannot be said: features of nodes, and data with values below 0.
        """
        if data in GRAPH_TASKS or self.low < 0 or self.high <= 0:
            return 0.0
        return max(1.0 if self.high >= UNITS else 0.0, self.high / (20 * UNITS))

    @property
    def marks(self) -> bool:
        """Whether x holds marks of 0 and 1 (features of nodes), whose rows are divided by their sum."""
        return are_marks(self.mean, self.std)


@dataclass(frozen=True, kw_only=True, slots=True)
class Provisional:
    """What a bundle from before the end of its job is worth: see `workers.bundle.provisional`.

    trial, epochs: whose weights these are, after how many epochs of `epochs_total`. score: its name, see
    `workers.conventions`. search_score: on the validation split, of these very weights; of a full training, the trial's
    in the search. missing: what the job has yet to do, a sentence each. final_score: on the test split, of a winner
    that was trained in full; None for weights of the search.
    """

    trial: int
    epochs: int
    epochs_total: int
    score: str
    search_score: float
    missing: tuple[str, ...] = ()
    final_score: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "missing": list(self.missing)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Provisional":
        """Raises KeyError, ValueError."""
        return cls(
            trial=int(_number(fields["trial"], "trial")),
            epochs=int(_number(fields["epochs"], "epochs")),
            epochs_total=int(_number(fields["epochs_total"], "epochs_total")),
            score=str(fields["score"]),
            search_score=_number(fields["search_score"], "search_score"),
            missing=tuple(str(sentence) for sentence in _list(fields["missing"], "missing")),
            final_score=None if fields.get("final_score") is None else _number(fields["final_score"], "final_score"),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """data: a kind of `space.kinds`. left_out: name of a file that could not be made -> why.

    provisional: None for the bundle of a job that has succeeded.
    """

    data: str
    input_shape: tuple[int, ...]
    classes: int
    architecture: str
    preprocessing: Preprocessing
    left_out: Mapping[str, str] = field(default_factory=dict)
    provisional: Provisional | None = None

    @classmethod
    def of(
        cls,
        architecture: "Architecture",
        preprocessing: Preprocessing,
        left_out: Mapping[str, str],
        provisional: Provisional | None = None,
    ) -> "Manifest":
        return cls(
            data=architecture.data,
            input_shape=architecture.input_shape,
            classes=architecture.classes,
            architecture=architecture.hash,
            preprocessing=preprocessing,
            left_out=left_out,
            provisional=provisional,
        )

    def to_json(self) -> dict[str, Any]:
        """Without the labels, which are in `labels.json`."""
        given = self.preprocessing
        values = {**asdict(given), "rows_divided": self.rows_divided}
        for name in ("labels", "problem", "target_mean", "target_std"):
            del values[name]
        targets = {"target_mean": list(given.target_mean), "target_std": list(given.target_std)}
        return {
            "schema_version": SCHEMA_VERSION,
            "data": self.data,
            "input_shape": list(self.input_shape),
            "classes": self.classes,
            "problem": given.problem,
            **(targets if given.problem == "regression" else {}),
            "architecture": self.architecture,
            "preprocessing": {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()},
            "tolerances": {name: value for name, value in TOLERANCES.items() if name not in self.left_out},
            "left_out": dict(self.left_out),
            **({"provisional": self.provisional.to_json()} if self.provisional else {}),
        }

    @classmethod
    def from_json(cls, document: Any, labels: Any) -> "Manifest":
        """Of `bundle.json` and `labels.json`, parsed. Raises InvalidBundle for what this version did not write."""
        try:
            fields = _object(document, "the manifest")
            if fields["schema_version"] != SCHEMA_VERSION:
                raise _wrong(f"schema_version must be {SCHEMA_VERSION!r}, got {fields['schema_version']!r}")
            names = tuple(str(label) for label in _list(labels, "labels.json"))
            made = cls(
                data=str(fields["data"]),
                input_shape=tuple(int(side) for side in _numbers(fields, "input_shape")),
                classes=int(_number(fields["classes"], "classes")),
                architecture=str(fields["architecture"]),
                preprocessing=_preprocessing(fields, names),
                left_out={name: str(reason) for name, reason in _object(fields["left_out"], "left_out").items()},
                provisional=_provisional(fields.get("provisional")),
            )
        except KeyError as error:
            raise _wrong(f"the manifest has no field {error}") from error
        except ValueError as error:
            raise _wrong(str(error)) from error
        if len(names) != made.classes:
            detail = f"{counted(made.problem, made.classes)} need as many labels, got {len(names)}"
            raise InvalidBundle(Fault(pointer="/labels.json", rule="length_mismatch", detail=detail))
        return made

    @property
    def problem(self) -> str:
        return self.preprocessing.problem

    @property
    def is_graph(self) -> bool:
        return self.data in GRAPH_TASKS

    @property
    def rows_divided(self) -> bool:
        return self.is_graph and self.preprocessing.marks

    def prepared(self, x: Array) -> npt.NDArray[np.float32]:
        """Values as in the data set, (B, C, …) or (N, F) -> values as in the training, float32 of the same shape."""
        x = x.astype(np.float32)
        if self.rows_divided:
            divided: npt.NDArray[np.float32] = x / np.maximum(x.sum(axis=1, keepdims=True), 1)
            return divided
        column = (1, -1, *[1] * (x.ndim - 2))
        mean, std = (np.array(v, np.float32).reshape(column) for v in (self.preprocessing.mean, self.preprocessing.std))
        normalised: npt.NDArray[np.float32] = (x - mean) * (np.float32(1) / std)
        return normalised


def _range(x: Array) -> tuple[float, float]:
    low, high = float("inf"), float("-inf")
    for rows in chunks(len(x), item_bytes(x)):
        low, high = min(low, float(x[rows].min())), max(high, float(x[rows].max()))
        if x.dtype == np.uint8 and (low, high) == (0.0, 255.0):
            break  # pictures reach both in the first chunk, and a large data set need not be read
    return low, high


def _provisional(value: Any) -> Provisional | None:
    return None if value is None else Provisional.from_json(_object(value, "provisional"))


def _preprocessing(document: Mapping[str, Any], labels: tuple[str, ...]) -> Preprocessing:
    """Of a whole manifest. Bundles from before there were other problems have none, and are of classifications."""
    fields, problem = _object(document["preprocessing"], "preprocessing"), str(document.get("problem", PROBLEMS[0]))
    if problem not in PROBLEMS:
        raise ValueError(f"problem must be one of {', '.join(PROBLEMS)}, got {problem!r:.100}")
    targets = {
        name: _numbers(document, name) if problem == "regression" else () for name in ("target_mean", "target_std")
    }
    if any(len(values) != len(labels) for values in targets.values() if problem == "regression"):
        raise ValueError(f"target_mean and target_std must have {len(labels)} numbers each, one for each target")
    return Preprocessing(
        mean=_numbers(fields, "mean"),
        std=_numbers(fields, "std"),
        dtype=_dtype(fields["dtype"]),
        labels=labels,
        pictures=_pictures(fields["pictures"]),
        low=_number(fields["low"], "low"),
        high=_number(fields["high"], "high"),
        columns=tuple(str(name) for name in _list(fields.get("columns", ()), "columns")),
        source=str(fields.get("source", "")),
        transposed=bool(fields.get("transposed", False)),
        problem=problem,
        target_mean=targets["target_mean"],
        target_std=targets["target_std"],
    )


def _pictures(name: Any) -> Pictures:
    names: Mapping[Any, Pictures] = {"crop": "fit", "fit": "fit", "auto": "auto", "pad": "pad"}
    return names.get(name, "exact")


# What follows raises ValueError for a value of another type. name: of the field, for the message.


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be an object, got {value!r:.100}")
    return value


def _list(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} must be an array, got {value!r:.100}")
    return value


def _number(value: Any, name: str) -> float:
    if not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number, got {value!r:.100}")
    return float(value)


def _numbers(fields: Mapping[str, Any], name: str) -> tuple[float, ...]:
    return tuple(_number(each, name) for each in _list(fields[name], name))


def _dtype(value: Any) -> str:
    try:
        return str(np.dtype(str(value)))
    except TypeError:
        raise ValueError(f"dtype must be the name of a NumPy type, got {value!r:.100}") from None


def _wrong(detail: str) -> InvalidBundle:
    return InvalidBundle(Fault(pointer="/bundle.json", rule="manifest_invalid", detail=detail))
