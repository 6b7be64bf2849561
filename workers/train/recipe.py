"""How a network is trained: the values that follow from a job, an architecture and a machine."""

from dataclasses import dataclass, replace
from itertools import pairwise

SCHEDULES = ("one_cycle", "cycles", "wsd")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How a network is trained.

    batch_size: made smaller where an epoch would have under min_steps steps (8 epochs of digits: 0.971 with batches of
    128, 0.982 with 38). Nodes and links take the whole graph for each step: min_steps is the length of their epoch.
    optimizer: "adamw", "sgd" with Nesterov's momentum of 0.9, or "adam", whose weight decay is part of the gradient.
    learning_rate: the peak of the one-cycle schedule, in the optimizer's own units (about 0.01, for SGD 0.1).
    weight_decay: AdamW's, the share of each weight taken away per unit of learning rate; the others get a hundredth.
    score: one of `workers.conventions.PROBLEM_SCORES`; "auto" is AUC for links, else the problem's first.
    loss: one of `workers.conventions.LOSSES` of the problem. class_weights: of each class (label) in the loss, mean 1;
    (), all alike.
    precision: "fp32", "bf16" or "fp16" (CUDA only). layout: "nchw" or "nhwc" (channels last in memory).
    augment: share of the training samples that are changed at random in each epoch, 0 to 1; flip: by mirror images too;
    shift: by up to this share of the shortest side each way; zoom: by crops whose sides are at least 1 - zoom of the
    whole, made as large as that; cutout: by a square (cube) of this share of the shortest side that becomes the mean.
    threads: of this process, for a trial on the CPU.
    rungs: gradient steps from the start after which a training is scored, ascending; the last is the whole training and
    `epochs` is their number. (): scored after each pass over the data.
    schedule: of the learning rate, see `workers.train.schedule`: "one_cycle", "cycles" or "wsd". decay: for "wsd", the
    share of a rung's steps in which the rate falls to zero.
    subset: share of the training split that is used, 0 to 1, of each class alike; a smaller subset is part of a larger
    one. Nodes and links take their whole graph. resolution: pixels of the longest side, to which samples are made
    smaller for this training, where network and samples allow it; None, as stored.
    ema: of the whole training, the share of the steps over which the weights are averaged for a score; 0, not at all.
    Raises ValueError for rungs, a schedule or shares that are none.
    """

    epochs: int = 8
    batch_size: int = 128
    min_steps: int = 32
    optimizer: str = "adamw"
    learning_rate: float = 0.01
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    seed: int = 0
    augment: float = 1.0
    flip: bool = False
    score: str = "auto"
    loss: str = "cross_entropy"
    class_weights: tuple[float, ...] = ()
    precision: str = "fp32"
    layout: str = "nchw"
    device: str = "cpu"
    threads: int = 1
    rungs: tuple[int, ...] = ()
    schedule: str = "one_cycle"
    decay: float = 0.2
    subset: float = 1.0
    resolution: int | None = None
    ema: float = 0.0
    shift: float = 1 / 28
    zoom: float = 0.0
    cutout: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rungs", tuple(self.rungs))  # JSON has lists
        object.__setattr__(self, "class_weights", tuple(self.class_weights))
        if self.rungs and (self.rungs[0] < 1 or any(low >= high for low, high in pairwise(self.rungs))):
            raise ValueError(f"rungs must be ascending numbers of steps, 1 or more, got {self.rungs}")
        if self.rungs and self.epochs != len(self.rungs):
            raise ValueError(f"epochs must be the number of rungs, {len(self.rungs)}, got {self.epochs}")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {self.schedule!r}")
        for name, share in (("decay", self.decay), ("subset", self.subset)):
            if not 0 < share <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1, got {share}")
        for name, share in (("ema", self.ema), ("shift", self.shift), ("zoom", self.zoom), ("cutout", self.cutout)):
            if not 0 <= share < 1:
                raise ValueError(f"{name} must be 0 or more and below 1, got {share}")

    def up_to(self, epochs: int) -> "Recipe":
        """The same recipe, ended after so many of its epochs."""
        return replace(self, epochs=epochs, rungs=self.rungs[:epochs])

    def lasting(self, epochs: int) -> "Recipe":
        """The same recipe for another number of epochs; of rungs, each as long as the mean of these."""
        each = self.rungs[-1] / len(self.rungs) if self.rungs else 0.0
        rungs = tuple(max(number, round(each * number)) for number in range(1, epochs + 1)) if self.rungs else ()
        return replace(self, epochs=epochs, rungs=rungs)
