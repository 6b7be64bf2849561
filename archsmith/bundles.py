"""Whether a downloaded bundle is provisional: from before the end of its job, and then what is missing."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from archsmith.values import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Provisional:
    """trial, epochs: whose weights these are, after how many epochs of `epochs_total`. score: its name.

    search_score: of these weights on the validation split; of a winner that was trained in full, its trial's in the
    search. missing: what the job has yet to do, a sentence each. final_score: on the test split, of such a winner.
    """

    trial: int
    epochs: int
    epochs_total: int
    score: str
    search_score: float
    missing: tuple[str, ...]
    final_score: float | None = None

    @classmethod
    def from_json(cls, document: Json) -> Self:
        return cls(
            trial=document["trial"],
            epochs=document["epochs"],
            epochs_total=document["epochs_total"],
            score=document["score"],
            search_score=document["search_score"],
            missing=tuple(document["missing"]),
            final_score=document.get("final_score"),
        )

    @property
    def words(self) -> str:
        if self.final_score is None:
            trained = f"trial {self.trial} after {self.epochs} of {self.epochs_total} epochs"
            score = f"{self.search_score:.4f} on the validation split"
        else:
            trained = f"trial {self.trial}, fully trained ({self.epochs} epochs)"
            score = f"{self.final_score:.4f} on the test split"
        return f"provisional: {trained}, {self.score} {score}; missing: {'; '.join(self.missing) or 'nothing'}"


def provisional(path: str | Path) -> Provisional | None:
    """What a bundle says of itself; None for the bundle of a job that has succeeded, and for a file that is no bundle.

    Raises OSError where the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            document = json.loads(archive.read("bundle.json"))
        given = document.get("provisional") if isinstance(document, dict) else None
        return Provisional.from_json(given) if isinstance(given, dict) else None
    except (zipfile.BadZipFile, KeyError, ValueError):
        return None
