"""Data sets: read once, checked, stored as mapped arrays with fixed splits. Nothing here needs torch."""

from workers.datasets.store import Dataset, DatasetInfo, DataStore
from workers.datasets.values import GraphSplit, Split

__all__ = ["DataStore", "Dataset", "DatasetInfo", "GraphSplit", "Split"]
