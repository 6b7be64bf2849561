"""What every route needs, made once when the app is made."""

import threading
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from api.middleware import Edge
from search.ledger import Ledger
from search.validate import DataShape
from workers.datasets import DataStore
from workers.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """pricing: held while a dry run is measured.

    closing: set when the service is about to end; streams end and readiness turns false.
    """

    settings: Settings
    ledger: Ledger
    edge: Edge
    store: DataStore
    pricing: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    def shape(self, name: str) -> DataShape | None:
        """The shape of a data set, None when there is none of that name."""
        if name not in self.store.names():
            return None
        info = self.store.describe(name)
        return DataShape(input_shape=info.input_shape, classes=info.classes, tasks=info.tasks)


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


ContextDep = Annotated[Context, Depends(_context)]
