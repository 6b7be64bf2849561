"""How a network is trained: the values that follow from a job, an architecture and a machine."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How a network is trained.

    batch_size: made smaller where an epoch would have under min_steps steps (8 epochs of digits: 0.971 with batches of
    128, 0.982 with 38). Nodes and links take the whole graph for each step: min_steps is the length of their epoch.
    optimizer: "adamw", "sgd" with Nesterov's momentum of 0.9, or "adam", whose weight decay is part of the gradient.
    learning_rate: the peak of the one-cycle schedule, in the optimizer's own units (about 0.01, for SGD 0.1).
    weight_decay: AdamW's, the share of each weight taken away per unit of learning rate; the others get a hundredth.
    score: "accuracy", "balanced_accuracy" or "auc"; "auto" is AUC for links and accuracy for all else.
    precision: "fp32", "bf16" or "fp16" (CUDA only). layout: "nchw" or "nhwc" (channels last in memory).
    augment: share of the training samples that are changed at random in each epoch, 0 to 1; flip: by mirror images too.
    threads: of this process, for a trial on the CPU.
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
    precision: str = "fp32"
    layout: str = "nchw"
    device: str = "cpu"
    threads: int = 1
