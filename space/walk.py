"""Walking a document: which decisions it asks for, in which order, and which of the options fit the map.

One pass through a document is a decision path. It is a chain of short steps: a stage's settings, its blocks, its end,
and finally the head. What a later step may offer depends only on the `Cursor` that the step before it leaves, not on
the rest of the past; counting a space (`space/size.py`) rests on that.

What fits is decided on the shorter side of the map. A stride or an unpadded kernel may not exceed it, a pooling needs
2 pixels, and the side that is left must be enough for the least demanding path through everything that follows. So no
path runs into a dead end. A padded kernel always fits, but one that reaches beyond the whole map from every pixel is
not offered next to a smaller one: its outer weights would never meet a pixel.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from archsmith.errors import Fault, ImpossibleShape, InvalidSpace
from space.blocks import BLOCKS
from space.decision import Choose, Option
from space.decision_recorder import DecisionRecorder
from space.document.fields import SPACE_FIELDS, STAGE_FIELDS, TRAINING_FIELDS
from space.document.values import Options, SpaceDocument, Stage
from space.head import ask_head
from space.kinds import KINDS
from space.operations.base import times
from space.operations.resize import LIMIT, too_large
from space.pools import POOLS
from space.scales import passed

Size = tuple[int, ...]
"""(H, W), (D, H, W) or (T,); (1,) of graph data, which has no map."""


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A position on a decision path. Cursors sort in the order in which a path meets them.

    stage: index of the stage (the stem counts as one); the number of stages at the head, one more at the end.
    block: -1 before the stage's settings, then the index of the next block, and the stage's depth before its end.
    size: of the map at this point. depth, stride, padding: the stage's settings, once they are known.
    maps: for segmentation, the sizes of larger maps to go back to (`space/scales.py`); within a stage also, as the last
        one, the size that it began with.
    """

    stage: int
    block: int
    size: Size
    depth: int = 0
    stride: int = 1
    padding: str = "same"
    maps: tuple[Size, ...] = ()


class Program:
    """A document and an input size, ready to be walked."""

    def __init__(self, document: SpaceDocument, data: str, size: Size) -> None:
        """data: the kind of data. Raises InvalidSpace when no path through the document fits the size."""
        self.document = document
        self._data = data
        self.stages = document.all_stages
        self.start = Cursor(0, -1, size)
        _check_room(self.stages, size)
        self._needs = _needs(self.stages, min(size))
        self._fitting: dict[tuple[Cursor, str], tuple[Option, ...]] = {}
        self._open: dict[tuple[Option, ...], tuple[Option, ...]] = {}

    def walk(self, choose: Choose) -> DecisionRecorder:
        """Ask for every decision on one path. Raises ValueError when `choose` returns something that is not offered."""
        recorder = DecisionRecorder(choose)
        cursor = self.start
        while not self.ended(cursor):
            cursor = self.step(cursor, recorder)
        return recorder

    def ended(self, cursor: Cursor) -> bool:
        return cursor.stage > len(self.stages)

    def step(self, cursor: Cursor, recorder: DecisionRecorder) -> Cursor:
        """Ask for the decisions of one step; returns where the next one begins."""
        if cursor.stage == len(self.stages):
            self._ask_rest(cursor, recorder)
            return Cursor(cursor.stage + 1, -1, cursor.size)
        stage = self.stages[cursor.stage]
        if cursor.block < 0:
            return self._settings(stage, cursor, recorder)
        if cursor.block < cursor.depth:
            return self._blocks(stage, cursor, recorder)
        return self._end(stage, cursor, recorder)

    def _settings(self, stage: Stage, cursor: Cursor, recorder: DecisionRecorder) -> Cursor:
        """The settings of a stage. Those that bear on the map come first, each narrowed by the answers before it."""
        size, options, known = cursor.size, stage.options, dict[str, Option]()
        for name in ("depth", "stride", "padding"):
            fits = self._leaving(stage, cursor, name, known)
            known[name] = _ask(stage, stage.place, name, name, fits, size, recorder)
            if known["depth"] == 0:
                return Cursor(cursor.stage + 1, -1, size, maps=cursor.maps)
        for name in ("width", "bias", "norm", "activation"):
            _ask(stage, stage.place, name, name, options[name], size, recorder, idle=True)
        depth, stride, padding = cast(int, known["depth"]), cast(int, known["stride"]), str(known["padding"])
        if stage.per != "block":  # with `per: block` the blocks may differ, and could not share weights
            repeats = options["repeats"] if depth > 1 else options["repeats"][:1]
            _ask(stage, stage.place, "repeats", "repeats", repeats, size, recorder, idle=True)
        else:
            recorder.answers[f"{stage.place}.repeats"] = "own"
        maps = (*cursor.maps, size) if KINDS[self._data].dense else ()
        return Cursor(cursor.stage, 0, size, depth, stride, padding, maps)

    def _leaving(self, stage: Stage, cursor: Cursor, name: str, known: Mapping[str, Option]) -> tuple[Option, ...]:
        """The options of a setting that leave enough for what follows. known: the settings answered before it.

        Found once for each combination of stage, side and known settings.
        """
        side = min(cursor.size)
        key = (cursor.stage, side, name, *known.values())
        if key not in self._open:
            options = {**stage.options, **{earlier: (answer,) for earlier, answer in known.items()}}
            need = self._needs[cursor.stage + 1]
            self._open[key] = tuple(o for o in options[name] if room_after({**options, name: (o,)}, side) >= need)
        return self._open[key]

    def _blocks(self, stage: Stage, cursor: Cursor, recorder: DecisionRecorder) -> Cursor:
        """The decisions about one block, or about all blocks of the stage at once."""
        blocks = _Blocks(stage=stage, cursor=cursor, need=self._needs[cursor.stage + 1])
        place = stage.question_place(cursor.block)
        offered = tuple(o for o in stage.options["operation"] if self._kernels(blocks, str(o)))
        operation = str(_ask(stage, place, "operation", "operation", offered, cursor.size, recorder))
        padding = _padding(operation, cursor.padding)

        def pick(name: str, source: str | None = None, among: tuple[Option, ...] | None = None) -> Option:
            """`space.blocks.base.Pick`: the decision `name`, with the options of the field `source`."""
            is_kernel = (source or name) == "kernel"
            options = self._kernels(blocks, operation) if is_kernel else _useful(stage, source or name, cursor.size)
            options = options if among is None else tuple(option for option in options if option in among)
            idle = padding == "same" if is_kernel else name not in BLOCKS[operation].structural
            return _ask(stage, place, name, source or name, options, cursor.size, recorder, idle=idle)

        if stage.asks:
            BLOCKS[operation].ask(pick)
        kernel = recorder.answers[f"{place}.kernel"] if padding == "valid" else 1
        size = tuple(blocks.after(side, kernel, padding) for side in cursor.size)
        block = cursor.block + blocks.together
        return Cursor(cursor.stage, block, size, cursor.depth, cursor.stride, cursor.padding, cursor.maps)

    def _kernels(self, blocks: "_Blocks", operation: str) -> tuple[Option, ...]:
        """The kernels that a block of this kind may be offered, found once for each cursor."""
        padding = _padding(operation, blocks.cursor.padding)
        key = (blocks.cursor, padding)
        if key not in self._fitting:
            self._fitting[key] = blocks.kernels(padding)
        return self._fitting[key]

    def _end(self, stage: Stage, cursor: Cursor, recorder: DecisionRecorder) -> Cursor:
        """What follows the blocks of a stage: pooling or resizing, the skip connection, dropout."""
        need = self._needs[cursor.stage + 1]
        fits = tuple(o for o in stage.options["pool"] if _pooled(min(cursor.size), o) >= need)
        pool = _ask(stage, stage.place, "pool", "pool", fits, cursor.size, recorder)
        for name in ("skip", "dropout"):
            _ask(stage, stage.place, name, name, stage.options[name], cursor.size, recorder, idle=True)
        size, maps = tuple(_pooled(side, pool) for side in cursor.size), cursor.maps
        if maps:
            maps = passed(maps[:-1], maps[-1], cursor.size, _itself)
            maps = passed(maps, cursor.size, size, _itself)
        return Cursor(cursor.stage + 1, -1, size, maps=maps)

    def _ask_rest(self, cursor: Cursor, recorder: DecisionRecorder) -> None:
        """The head, and the settings of the whole network; nothing before depends on them."""
        ask_head(self.document.head, self._data, cursor.size, recorder, scales=len(cursor.maps))
        for name, options in self.document.general.items():
            recorder.ask(name, options, ordered=SPACE_FIELDS[name].ordered, idle=True)
        for name, options in self.document.training.items():
            recorder.ask(f"training.{name}", options, ordered=TRAINING_FIELDS[name].ordered, idle=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Blocks:
    """The blocks that one step asks about: one with `per: block`, else all that the stage has left.

    need: the smallest side that the stages after this one can start from.
    """

    stage: Stage
    cursor: Cursor
    need: int

    @property
    def together(self) -> int:
        """How many blocks the answers hold for."""
        return 1 if self.stage.per == "block" else self.cursor.depth - self.cursor.block

    def after(self, side: int, kernel: Option, padding: str) -> int:
        """The side that these blocks leave, 0 if they do not fit."""
        stride = self.cursor.stride if self.cursor.block == 0 else 1
        return _slide(side, self.together, cast(int, kernel), stride, padding)

    def kernels(self, padding: str) -> tuple[Option, ...]:
        """The kernels that fit, leave enough for what follows and reach no further than the map."""
        size = self.cursor.size
        options = self.stage.options["kernel"]
        # around a pixel at one edge, 2 · side - 1 taps reach the pixel at the other edge; more would only see padding
        useful = 2 * max(size) - 1 if padding == "same" else max(size)
        rest: Options = {  # the stage as it goes on after these blocks
            **self.stage.options,
            "depth": (self.cursor.depth - self.cursor.block - self.together,),
            "stride": (1,),
            "padding": (self.cursor.padding,),
        }

        def fits(kernel: Option) -> bool:
            side = self.after(min(size), kernel, padding)
            return side > 0 and room_after(rest, side, begun=True) >= self.need

        return tuple(k for k in options if (k == options[0] or cast(int, k) <= useful) and fits(k))


def room_after(options: Options, side: int, *, begun: bool = False) -> int:
    """The largest side that a stage with these options can leave of `side` pixels, 0 if no choice of options fits.

    The side that a stage leaves falls, or stays, with its depth, stride and kernel, and never falls by padding, leaving
    out the pooling or resizing. So each option can be picked alone: the smallest number, padding where it is offered,
    and the pooling that leaves most. That replaces trying out every combination.

    begun: the stage has blocks already, so depth 0 says that none follow, not that the stage is left out.
    """
    depth, *deeper = cast("tuple[int, ...]", options["depth"])  # options of numbers are in ascending order
    if depth == 0 and not begun:  # leaving the stage out keeps the side; only a stage that resizes can do better
        return max(side, room_after({**options, "depth": tuple(deeper)}, side) if deeper else 0)
    padded = "same" in options["padding"] or any(BLOCKS[str(operation)].pads for operation in options["operation"])
    kernel, stride = (cast(int, options[name][0]) for name in ("kernel", "stride"))
    side = _slide(side, depth, kernel, stride, "same" if padded else "valid")
    return max(_pooled(side, pool) for pool in options["pool"])


def _useful(stage: Stage, name: str, size: Size) -> tuple[Option, ...]:
    """A field's options without those whose outer taps would never meet a pixel; the first option always stays."""
    options = stage.options[name]
    if name == "kernel_depth" and len(size) < 3:
        return options[:1]  # an image has no depth
    if name == "kernel_width" and len(size) < 2:
        return options[:1]  # a series has one side
    reach = {"kernel_width": 2 * max(size) - 1, "kernel_depth": 2 * max(size) - 1, "dilation": max(size) - 1}.get(name)
    return tuple(o for o in options if reach is None or o == options[0] or cast(int, o) <= reach)


def _padding(operation: str, padding: str) -> str:
    """The padding that a block uses: "same" if it always pads, else the stage's."""
    return "same" if BLOCKS[operation].pads else padding


def _slide(side: int, times: int, kernel: int, stride: int, padding: str) -> int:
    """The side after `times` convolutions, the first of them with the stride; 0 if one of them does not fit.

    The first leaves floor((side - reach) / stride) + 1 pixels, each further one takes reach - 1 of them.
    """
    if times == 0:
        return side
    reach = 1 if padding == "same" else kernel  # pixels that a convolution takes off the map, plus one
    if side < max(reach, stride):
        return 0
    return max(0, (side - reach) // stride + 1 - (times - 1) * (reach - 1))


def _itself(size: Size) -> Size:
    return size


def _pooled(side: int, pool: Option) -> int:
    return POOLS[str(pool)].side(side)


def _needs(stages: tuple[Stage, ...], side: int) -> list[int]:
    """For each stage the smallest side from which it and all later stages can be passed; at the end 1, for the head.

    side: the shorter side of the input. From the last stage to the first, by binary search: what a stage leaves never
    falls when it is given more.
    """
    needs = [1]
    doubling = sum(any(POOLS[str(pool)].doubles for pool in stage.options["pool"]) for stage in stages)
    side *= 2**doubling  # no map on any path is larger
    for stage in reversed(stages):

        def enough(left: int, stage: Stage = stage, need: int = needs[-1]) -> bool:
            return room_after(stage.options, left) >= need

        needs.append(1 + bisect_left(range(1, side + 1), True, key=enough))
    return needs[::-1]


def _check_room(stages: tuple[Stage, ...], size: Size) -> None:
    """Follow the least demanding path through all stages.

    Raises InvalidSpace at the first stage that leaves nothing of the map, or that may resize it beyond the limit.
    """
    left = size
    for stage in stages:
        after = tuple(room_after(stage.options, side) for side in left)
        if min(after) == 0:
            where, wants = _obstacle(stage.options, left)
            unit = "steps" if len(size) == 1 else "pixels"
            detail = (
                f"{_title(stage)} {wants}, but at most {times(left)} {unit} of the {times(size)} input are left there"
            )
            raise InvalidSpace(Fault(pointer=f"{stage.pointer}/{where}", rule="impossible_shape", detail=detail))
        if any(POOLS[str(pool)].doubles for pool in stage.options["pool"]) and too_large(after):
            detail = f"{_title(stage)} may make a map of {times(after)}; {LIMIT}"
            raise InvalidSpace(Fault(pointer=f"{stage.pointer}/pool", rule="impossible_shape", detail=detail))
        left = after


def _obstacle(options: Options, size: Size) -> tuple[str, str]:
    """The field that does not fit into a map of this size, and what it asks for, in words."""
    side, rank = min(size), min(2, len(size))  # on volumes the words are those of images
    stride, kernel, depth = (cast(int, options[name][0]) for name in ("stride", "kernel", "depth"))
    if stride > side:
        return "stride", f"asks for a stride of {stride}"
    if room_after({**options, "pool": ("none",)}, side):
        return "pool", f"asks for a {times((2,) * rank)} pooling" if rank > 1 else "asks for a pooling of 2 steps"
    blocks = f"{depth} convolution{'s' * (depth > 1)}"
    return "kernel", f"asks for {blocks} of {times((kernel,) * rank)} without padding"


def _title(stage: Stage) -> str:
    return "the stem" if stage.place == "stem" else f"stage {stage.place.partition('.')[2]}"


def _ask(
    stage: Stage,
    place: str,
    name: str,
    source: str,
    fits: tuple[Option, ...],
    size: Size,
    recorder: DecisionRecorder,
    *,
    idle: bool = False,
) -> Option:
    """Ask for the decision `place.name`, which has the options `fits` of the field `source`.

    Raises ImpossibleShape if none is left, as at a cursor that no path leads to.
    """
    if not fits:
        message = f"{_title(stage)} has no {source} that fits in the {times(size)} left"
        raise ImpossibleShape(message, place=stage.place, size=size)
    return recorder.ask(f"{place}.{name}", fits, ordered=STAGE_FIELDS[source].ordered, idle=idle)
