"""A decision: one question that a space asks on the way to an architecture."""

from collections.abc import Callable
from dataclasses import dataclass

Option = bool | int | float | str


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One choice, alive on the path walked so far.

    name: unique on any one walk and the same on every walk that meets it ("stages.1.depth",
        "stages.1.blocks.0.kernel"), so that controllers can learn per name.
    options: what `choose` may return; at least one, no repeats.
    ordered: whether the options stand on a scale (kernel, width, depth) or are kinds (operation, norm).
    """

    name: str
    options: tuple[Option, ...]
    ordered: bool

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError(f"decision {self.name} needs at least one option")
        if len({(type(o), o) for o in self.options}) != len(self.options):
            raise ValueError(f"decision {self.name} has repeated options {self.options}")


Choose = Callable[[Decision], Option]
"""How a controller answers: given a decision, return one of `decision.options`."""

Choices = dict[str, Option]
"""The answers of one walk by the name of the decision, in the order asked."""
