"""`/metrics` for Prometheus: what the service has to do, what it has done, and how it answers."""

import shutil
import time
from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import archsmith
from api.context import Context, ContextDep
from api.http.body import accepts
from api.routes.health import details

router = APIRouter(tags=["health"], dependencies=[accepts("text/plain")])

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


class Metrics:
    """The numbers of one application. requests, seconds: of the HTTP interface, by route."""

    def __init__(self, context: Context) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Ledger(context))
        self.requests = Counter(
            "archsmith_http_requests",
            "Requests that were answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "archsmith_http_request_seconds",
            "Seconds from a request to the end of its answer; streams of events count until they are left.",
            ["route"],
            buckets=BUCKETS,
            registry=self.registry,
        )


class _Ledger(Collector):
    """Read anew for each answer."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def collect(self) -> Iterator[Metric]:
        jobs, trials = self._context.ledger.census()
        for name, text, counts in (
            ("archsmith_jobs", "Jobs by state.", jobs),
            ("archsmith_trials", "Trials of all jobs by state.", trials),
        ):
            family = GaugeMetricFamily(name, text, labels=["state"])
            for state, count in counts.items():
                family.add_metric([str(state)], count)
            yield family
        parts = GaugeMetricFamily("archsmith_part_up", "1 where a part of the service works.", labels=["part"])
        for part, seen in details(self._context).items():
            parts.add_metric([part], float(seen == "ok"))
        yield parts
        disk = GaugeMetricFamily("archsmith_disk_free_bytes", "Free bytes on the disk of the state folder.")
        disk.add_metric([], shutil.disk_usage(self._context.settings.state).free)
        yield disk
        build = GaugeMetricFamily("archsmith_build_info", "1, with the version.", labels=["version"])
        build.add_metric([archsmith.__version__], 1)
        yield build


class Measured:
    """Middleware that counts requests. A path without a route counts as "none", so that no client makes up labels."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in ("GET", "POST", "PATCH", "DELETE", "HEAD") else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - begun)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(context: ContextDep, request: Request) -> Response:  # noqa: ARG001  # the registry has it
    """Jobs and trials by state, parts that work, free disk, requests and their seconds, in Prometheus's text format."""
    registry = request.app.state.metrics.registry
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
