"""A use of an operation: all that follows from its attributes and input shapes, wherever in a network it stands.

The networks of a space are made of the same few hundred uses. Each is checked and measured once and then looked up, so
that building, measuring and hashing a network costs little more than following its edges.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from space.operations.base import Attrs, Channels, Operation, Shape, Window
from space.operations.saved import Saved

REMEMBERED = 16_384
"""Uses in the cache, about 20 MB; a preset has 30 to 600."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Use:
    """An operation with attributes and input shapes.

    attrs: in normal form. inputs, shape: shapes of the inputs and of the output, without the batch.
    params, macs, window, channels, saved: see `Operation`.
    text: operation and attributes as text. mark: its hash, 8 bytes. Both are for the canonical hash.
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
    """The use of an operation, from the cache if it is there. attrs: as a user gives them.

    Raises Misfit if the attributes are wrong or the inputs do not fit.
    """
    try:
        hash(key := tuple(attrs.items()))
    except TypeError:  # lists, as in JSON, are not hashable
        return _use(operation, attrs, inputs)
    return _known(operation, key, tuple(map(type, attrs.values())), inputs)


@lru_cache(maxsize=REMEMBERED)
def _known(
    operation: Operation,
    attrs: tuple[tuple[str, object], ...],
    types: tuple[type, ...],  # noqa: ARG001 - part of the key: True and 1.0 equal 1, but may not stand for it
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
