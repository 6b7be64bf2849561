"""A use of an operation: what follows from its attributes and the shapes it reads, wherever in a network it stands.

The networks of a space are made of the same few hundred uses, so each is checked and measured once and then looked up;
growing, measuring and hashing a network is then a walk along its edges.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from space.operations.base import Attrs, Channels, Operation, Shape, Window
from space.operations.saved import Saved

REMEMBERED = 16_384
"""Uses, some 20 MB of them; the presets have 30 to 600 each."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Use:
    """attrs: in normal form. inputs, shape: what it reads and gives, without the batch.

    params, macs, window, channels, saved: see `Operation`. text: operation and attributes, equal for equal ones. mark:
    of it.
    """

    operation: Operation
    attrs: Attrs
    inputs: tuple[Shape, ...]
    shape: Shape
    params: int
    macs: int
    window: Window | None
    channels: Channels
    saved: Saved
    text: str
    mark: bytes


def use(operation: Operation, attrs: Mapping[str, object], inputs: tuple[Shape, ...]) -> Use:
    """attrs: as given. Raises Misfit when the attributes are wrong or the inputs do not fit."""
    try:
        hash(key := tuple(attrs.items()))
    except TypeError:  # lists, as JSON has them, cannot be looked up
        return _use(operation, attrs, inputs)
    return _known(operation, key, tuple(map(type, attrs.values())), inputs)


@lru_cache(maxsize=REMEMBERED)
def _known(
    operation: Operation,
    attrs: tuple[tuple[str, object], ...],
    types: tuple[type, ...],  # noqa: ARG001 - True and 1.0 are equal to 1, but not what an attribute may be
    inputs: tuple[Shape, ...],
) -> Use:
    return _use(operation, dict(attrs), inputs)


def _use(operation: Operation, given: Mapping[str, object], inputs: tuple[Shape, ...]) -> Use:
    attrs = operation.check(given)
    shape = operation.shape(attrs, inputs)
    text = f"{operation.name}{tuple(attrs.items())!r}"
    return Use(
        operation=operation,
        attrs=attrs,
        inputs=inputs,
        shape=shape,
        params=operation.params(attrs, inputs),
        macs=operation.macs(attrs, inputs),
        window=operation.window(attrs, inputs),
        channels=operation.channels(attrs, inputs),
        saved=operation.saved(attrs, inputs, shape) if inputs else Saved(),
        text=text,
        mark=blake2b(text.encode(), digest_size=8).digest(),
    )
