"""Data sets: read once, checked, stored as mapped arrays with fixed splits. Nothing here needs torch."""

from workers.datasets.dataset import Dataset
from workers.datasets.info import DatasetInfo
from workers.datasets.mapped import MappedSplit
from workers.datasets.store import DataStore
from workers.datasets.values import GraphSplit, Split

__all__ = ["DataStore", "Dataset", "DatasetInfo", "GraphSplit", "MappedSplit", "Split"]
