"""What the routes share, created with the application."""

import threading
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from api.http.middleware import Edge
from search.ledger import Ledger
from search.validate import DataShape
from workers.datasets import DataStore
from workers.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """pricing: held during a dry run.

    closing: set when the service is about to stop: event streams end and `/readyz` answers 503.
    """

    settings: Settings
    ledger: Ledger
    edge: Edge
    store: DataStore
    pricing: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    def shape(self, name: str) -> DataShape | None:
        """The shape of the data set of that name, None if there is no such data set."""
        if name not in self.store.names():
            return None
        info = self.store.describe(name)
        return DataShape(input_shape=info.input_shape, classes=info.classes, tasks=info.tasks, problem=info.problem)


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


ContextDep = Annotated[Context, Depends(_context)]
"""A route's parameter of this type is the application's context."""
