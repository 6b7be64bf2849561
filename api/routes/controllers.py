"""The controllers and their options."""

from fastapi import APIRouter

from api.http.body import accepts
from api.views.spaces import ControllerList, ControllerView
from search.factory import CONTROLLERS

router = APIRouter(prefix="/v1/controllers", tags=["controllers"], dependencies=[accepts("application/json")])


@router.get("")
def browse() -> ControllerList:
    """All controllers by name; each option is a JSON Schema."""
    items = [
        ControllerView(name=name, options={option: found.schema() for option, found in entry.options.items()})
        for name, entry in sorted(CONTROLLERS.items())
    ]
    return ControllerList(items=items)
