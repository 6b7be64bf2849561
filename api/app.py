"""The FastAPI application: routes, middleware and error handlers."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI

import archsmith
from api import openapi_schema
from api.context import Context
from api.http import errors
from api.http.body import plain_query
from api.http.middleware import BodyLimit, Edge, HostCheck, OriginCheck, RequestId
from api.routes import (
    compress,
    controllers,
    datasets,
    health,
    job_files,
    jobs,
    metrics,
    pages,
    pictures,
    predictions,
    reports,
    spaces,
    steering,
    trial_table,
)
from search.ledger import Ledger
from workers.datasets import DataStore
from workers.settings import Settings


def create_app(settings: Settings, ledger: Ledger, *, edge: Edge | None = None) -> FastAPI:
    """The application on an open ledger. edge: who may call it; the default is read from the environment."""
    context = Context(
        settings=settings, ledger=ledger, edge=edge or Edge.from_env(), store=DataStore(settings.datasets)
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        shutil.rmtree(settings.state / datasets.UPLOADS, ignore_errors=True)  # left by a process that was killed
        context.store.sweep()
        for removed in settings.jobs.glob(".*-removed"):
            shutil.rmtree(removed, ignore_errors=True)
        yield

    app = FastAPI(
        title="archsmith",
        description="Neural architecture search: post a job, watch it, download a finished model.",
        version=archsmith.__version__,
        lifespan=lifespan,
        dependencies=[Depends(plain_query)],
        redirect_slashes=False,
        docs_url=None,  # the pages would load scripts from a CDN
        redoc_url=None,
        telemetry={"tracing": False, "logs": False},
        generate_unique_id_function=lambda route: route.name + "_" + str((route.tags or [""])[0]),
    )
    app.state.context = context
    app.state.metrics = metrics.Metrics(context)
    modules = (
        jobs,
        job_files,
        trial_table,
        pictures,
        predictions,
        steering,
        compress,
        reports,
        controllers,
        spaces,
        datasets,
        health,
        metrics,
        pages,
    )
    routers = [module.router for module in modules]
    for router in routers:
        app.include_router(router)
    app.state.routes = [route for router in routers for route in router.routes]
    errors.install(app)
    _add_middleware(app, context)
    openapi_schema.install(app)
    return app


def _add_middleware(app: FastAPI, context: Context) -> None:
    """From the inside out: what is added last gets the request first."""
    layers: list[tuple[Any, dict[str, Any]]] = [
        (BodyLimit, {"upload_limit": context.settings.max_upload_bytes}),
        (OriginCheck, {}),
        (HostCheck, {"edge": context.edge}),
        (RequestId, {}),
        (metrics.Measured, {"metrics": app.state.metrics}),
    ]
    for layer, options in layers:
        app.add_middleware(layer, **options)
