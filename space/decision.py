"""A decision: one choice that a space asks for on the way to an architecture."""

from collections.abc import Callable
from dataclasses import dataclass

Option = bool | int | float | str


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One choice to be made at this point of a decision path.

    name: unique on a path, and the same on every path that reaches the decision ("stages.1.depth",
        "stages.1.blocks.0.kernel"), so that controllers can learn by name.
    options: what `choose` may return; at least one, all different.
    ordered: whether the options stand on a scale (kernel, width, depth) or are categories (operation, norm).
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
"""How a controller answers: given a decision, it returns one of `decision.options`."""

Choices = dict[str, Option]
"""The answers on one decision path, by the name of the decision, in the order asked."""
