"""The trainer, its recipe and its data: one loop (`trainer.py`), and a file for what each kind of data does."""

from workers.train.data import GraphSamples, Samples, TrainData
from workers.train.optimizer import one_cycle
from workers.train.recipe import Recipe
from workers.train.trainer import Trainer

__all__ = ["GraphSamples", "Recipe", "Samples", "TrainData", "Trainer", "one_cycle"]
