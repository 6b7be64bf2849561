"""The service from Python, over HTTP.

    from archsmith import Client

    with Client() as client:
        job = client.submit(dataset="digits", budget={"trials": 20})
        job = client.wait(job.id)
        client.download_bundle(job.id, "digits.zip")

Every method raises `ConnectError` if the service does not answer, and `ApiError` if it answers with an error: `status`,
`code` and `faults`, each with its JSON pointer.
"""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
from httpx_sse import SSEError, connect_sse

from archsmith import downloads
from archsmith.bundles import provisional
from archsmith.exceptions import ApiError, ConnectError, WaitTimeoutError, api_error
from archsmith.folders import packed
from archsmith.values import Dataset, Event, Job, Json, Trial

DEFAULT_URL = "http://127.0.0.1:8080"
PATIENCE_S = 30.0
"""How long `wait` and `events` bear a service that does not answer, as during a restart."""

_NO_LIMIT = httpx.Timeout(10.0, read=None, write=None)  # minutes for a large data set, to send it and to have it read


class Client:
    """A client of one service. Use it as a context manager, or call `close`.

    url: base address; the default is `ARCHSMITH_URL`, or http://127.0.0.1:8080.
    timeout_s: seconds to wait for an answer; for downloads, between two chunks. Uploads and dry runs have no limit.
    transport: an httpx transport, for tests.
    """

    def __init__(
        self, url: str | None = None, *, timeout_s: float = 30.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = (url or os.environ.get("ARCHSMITH_URL") or DEFAULT_URL).rstrip("/")
        # The service is on this machine or a private network, so proxies of the environment do not apply.
        self._http = httpx.Client(base_url=self.url, timeout=timeout_s, transport=transport, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Jobs ---------------------------------------------------------------------------------------------------------

    def submit(self, job: Mapping[str, Any] | None = None, *, key: str | None = None, **fields: Any) -> Job:
        """Post a job: a whole document, its fields as keywords, or both (keywords win).

        key: the idempotency key; the same key and document give the same job, however often they are sent.
        """
        document = {**(job or {}), **fields}
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return Job.from_json(self._json("POST", "/v1/jobs", json=document, headers=headers))

    def price(self, job: Mapping[str, Any] | None = None, **fields: Any) -> Json:
        """Estimate a job's cost by a dry run of some seconds; each figure has low, expected and high."""
        document = {**(job or {}), **fields}
        return self._json("POST", "/v1/jobs", params={"dry_run": "true"}, json=document, timeout=_NO_LIMIT)

    def job(self, job_id: str) -> Job:
        return Job.from_json(self._json("GET", f"/v1/jobs/{_segment(job_id)}"))

    def jobs(self, *, state: str | None = None, page: int = 100) -> Iterator[Job]:
        """All jobs, newest first, fetched page by page while iterating."""
        params = {"state": state} if state else {}
        return (Job.from_json(item) for item in self._pages("/v1/jobs", page, params))

    def trials(self, job_id: str, *, page: int = 100) -> Iterator[Trial]:
        """A job's trials in order of their numbers, without measurements."""
        return (Trial.from_json(item) for item in self._pages(f"/v1/jobs/{_segment(job_id)}/trials", page, {}))

    def trial(self, job_id: str, number: int) -> Trial:
        return Trial.from_json(self._json("GET", f"/v1/jobs/{_segment(job_id)}/trials/{number}"))

    def best(self, job_id: str) -> Json:
        """The incumbent's architecture as JSON."""
        return self._json("GET", f"/v1/jobs/{_segment(job_id)}/best")

    def front(self, job_id: str) -> Json:
        """The Pareto front of the job's objectives, and its hypervolume."""
        return self._json("GET", f"/v1/jobs/{_segment(job_id)}/front")

    def report(self, job_id: str) -> Json:
        """The report of a finished job: scores, gains over the random search and the baseline, costs."""
        return self._json("GET", f"/v1/jobs/{_segment(job_id)}/report")

    def cancel(self, job_id: str) -> Job:
        """Its measurements and its provisional bundle are kept."""
        return self._steer(job_id, "cancel")

    def pause(self, job_id: str) -> Job:
        return self._steer(job_id, "pause")

    def resume(self, job_id: str) -> Job:
        return self._steer(job_id, "resume")

    def finish(self, job_id: str, *, within_s: float | None = None) -> Job:
        """End the search now and let the job do what follows it: final trainings, report, bundle.

        within_s: seconds of work for that; what does not fit is left out, and report and card say so. May be repeated:
        the last limit counts. Raises ConflictError before a trial has a score, and for a job that has ended.
        """
        params = {} if within_s is None else {"within_seconds": f"{within_s:g}"}
        return Job.from_json(self._json("POST", f"/v1/jobs/{_segment(job_id)}/finish", params=params))

    def extend(
        self, job_id: str, *, trials: int | None = None, seconds: float | None = None, total_epochs: int | None = None
    ) -> Job:
        """Set limits of the job's budget, higher or lower; those that are None stay as they are.

        A running search follows within seconds. A job that has ended goes on with its search; its bundle can be
        downloaded until the next one is there. Raises InvalidInputError with the least that is allowed for a limit
        below what is spent, ConflictError where the search cannot go on.
        """
        given = {"trials": trials, "seconds": seconds, "total_epochs": total_epochs}
        budget = {name: value for name, value in given.items() if value is not None}
        return Job.from_json(self._json("PATCH", f"/v1/jobs/{_segment(job_id)}", json={"budget": budget}))

    def compress(
        self, job_id: str, *, steps: Sequence[str | Json] = (), max_drop: float | None = None, key: str | None = None
    ) -> Job:
        """Post a job that compresses the winner of a succeeded job. steps: names, or objects with options."""
        fields = {"steps": list(steps) or None, "max_drop": max_drop}
        document = {name: value for name, value in fields.items() if value is not None}
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return Job.from_json(
            self._json("POST", f"/v1/jobs/{_segment(job_id)}/compress", json=document, headers=headers)
        )

    def wait(
        self,
        job_id: str,
        *,
        timeout_s: float | None = None,
        interval_s: float = 0.5,
        on_update: Callable[[Job], None] | None = None,
    ) -> Job:
        """Poll until the job has ended, and pass each answer to `on_update`. Raises WaitTimeoutError after `timeout_s`.

        If the service stops answering, polling goes on for `PATIENCE_S`, so that a restart does not end the wait.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        answered = time.monotonic()
        while True:
            try:
                job = self.job(job_id)
                answered = time.monotonic()
                if on_update is not None:
                    on_update(job)
                if job.finished:
                    return job
            except ConnectError:
                if time.monotonic() - answered > PATIENCE_S:
                    raise
            if deadline is not None and time.monotonic() + interval_s > deadline:
                raise WaitTimeoutError(f"job {job_id} did not end within {timeout_s:g} s; it keeps running")
            time.sleep(interval_s)

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """The job's events after number `after`, past ones first, until the job has ended.

        After a lost connection it continues behind the last event seen (`Last-Event-ID`), so none is lost or repeated.
        """
        last, answered = after, time.monotonic()
        while True:
            try:
                for event in self._stream(job_id, last):
                    if event is None:
                        return
                    last, answered = event.id, time.monotonic()
                    yield event
                answered = time.monotonic()  # closed before the end of the job: the service restarts
            except (httpx.TransportError, SSEError) as error:
                if time.monotonic() - answered > PATIENCE_S:
                    raise ConnectError(self.url, str(error) or type(error).__name__) from error
            time.sleep(0.5)

    def download_bundle(
        self,
        job_id: str,
        path: str | Path | None = None,
        *,
        on_bytes: Callable[[int, int | None], None] | None = None,
    ) -> Path:
        """Download the bundle to `path` and check its SHA-256.

        Before the job has succeeded it is the best network so far, a provisional one: `archsmith.provisional(path)`
        says so and what is missing, and the default path is `archsmith-<id>-provisional.zip` instead of
        `archsmith-<id>.zip`. An interrupted transfer is resumed, in this call or the next; `path` exists only once it
        is complete. on_bytes: called with (bytes received, bytes in total or None). Raises ConflictError if there is
        no bundle yet.
        """
        target = Path(path) if path is not None else Path(f"archsmith-{job_id[:8]}.zip")
        url = f"/v1/jobs/{_segment(job_id)}/bundle"
        downloads.download(self._http, url, target, tag=job_id, on_bytes=on_bytes)
        if path is None and provisional(target) is not None:
            return target.replace(target.with_stem(f"{target.stem}-provisional"))
        return target

    # Spaces and data sets -----------------------------------------------------------------------------------------

    def spaces(self) -> list[Json]:
        """The presets, each with `name` and `document`."""
        return list(self._json("GET", "/v1/spaces")["items"])

    def validate_space(self, space: str | Mapping[str, Any], **fields: Any) -> Json:
        """Check a space (a preset's name or a document); returns its size and what samples of it cost.

        fields: `dataset`, or `input_shape` and `classes`. Raises InvalidInputError with every fault.
        """
        return self._json("POST", "/v1/spaces/validate", json={"space": space, **fields})

    def datasets(self) -> list[Dataset]:
        return [Dataset.from_json(item) for item in self._json("GET", "/v1/datasets")["items"]]

    def dataset(self, name: str) -> Dataset:
        """A data set; its `document` has what the check found. Raises NotFoundError."""
        return Dataset.from_json(self._json("GET", f"/v1/datasets/{_segment(name)}"))

    def delete_dataset(self, name: str, *, force: bool = False) -> None:
        """Remove a data set. Its name is free at once; jobs keep their reports and bundles.

        force: although jobs that have succeeded need it for compress, extend and replay.
        Raises ConflictError while a job uses it, NotFoundError.
        """
        params = {"force": "true"} if force else {}
        self._send("DELETE", f"/v1/datasets/{_segment(name)}", params=params)

    def upload_dataset(
        self,
        name: str,
        format: str,  # noqa: A002
        files: Sequence[str | Path],
        *,
        image_size: int | None = None,
        transpose: bool = False,
        image_fit: str | None = None,
        group_by: str | None = None,
        problem: str | None = None,
        replace: bool = False,
        force: bool = False,
    ) -> Dataset:
        """Upload files as a new data set. Folders are sent as one zip archive.

        format: one of `archsmith.formats.FORMATS`. image_size: side in pixels to which "images" are scaled; image_fit:
        "auto", "crop" or "pad"; group_by: the part of their file names before this text is a group that no split
        divides. problem: one of `archsmith.formats.PROBLEMS`, by default what the answers look like. transpose: whether
        rows and columns of the pictures of "idx" are exchanged. replace: put it in the place of the one of that name,
        if there is one; force: see `delete_dataset`.
        Raises InvalidInputError, which names the file, and ConflictError if the name is taken, or the old one in use.
        """
        given = {"image_size": image_size, "image_fit": image_fit, "group_by": group_by, "problem": problem}
        fields = {"name": name, "format": format} | {key: str(v) for key, v in given.items() if v is not None}
        fields |= {
            key: "true" for key, wanted in (("transpose", transpose), ("replace", replace), ("force", force)) if wanted
        }
        with packed(files) as paths, downloads.opened(paths) as parts:
            sent = [("file", part) for part in parts]
            return Dataset.from_json(self._json("POST", "/v1/datasets", data=fields, files=sent, timeout=_NO_LIMIT))

    def register_dataset(
        self,
        name: str,
        format: str,  # noqa: A002
        path: str,
        *,
        image_size: int | None = None,
        transpose: bool = False,
        image_fit: str | None = None,
        group_by: str | None = None,
        problem: str | None = None,
        replace: bool = False,
        force: bool = False,
    ) -> Dataset:
        """Make a data set from files in one of the data roots on the service's machine; nothing is sent."""
        given = {"image_size": image_size, "image_fit": image_fit, "group_by": group_by, "problem": problem}
        body: Json = {"name": name, "format": format, "path": path}
        body |= {key: value for key, value in given.items() if value is not None}
        body |= {
            key: True for key, wanted in (("transpose", transpose), ("replace", replace), ("force", force)) if wanted
        }
        return Dataset.from_json(self._json("POST", "/v1/datasets", json=body, timeout=_NO_LIMIT))

    def ready(self) -> bool:
        """Whether the service accepts jobs now."""
        try:
            return self._http.get("/readyz", timeout=5.0).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    # HTTP ---------------------------------------------------------------------------------------------------------

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **request)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ConnectError(self.url, str(error) or type(error).__name__) from error
        if not response.is_success:
            raise api_error(response)
        return response

    def _json(self, method: str, path: str, **request: Any) -> Json:
        response = self._send(method, path, **request)
        try:
            document = response.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise ApiError(f"the answer of {self.url} is not a JSON object; is it an archsmith service?", status=502)
        return document

    def _pages(self, path: str, page: int, params: Mapping[str, str]) -> Iterator[Json]:
        after: dict[str, str] = {}
        while True:
            document = self._json("GET", path, params={"limit": str(page), **params, **after})
            yield from document["items"]
            if not document.get("next"):
                return
            after = {"after": document["next"]}

    def _steer(self, job_id: str, verb: str) -> Job:
        return Job.from_json(self._json("POST", f"/v1/jobs/{_segment(job_id)}/{verb}"))

    def _stream(self, job_id: str, after: int) -> Iterator[Event | None]:
        """The events of one connection; None at the end of the job."""
        headers = {"Last-Event-ID": str(after)} if after else {}
        timeout = httpx.Timeout(self._http.timeout.read, read=60.0)  # the service sends something every 15 s
        url = f"/v1/jobs/{_segment(job_id)}/events"
        with connect_sse(self._http, "GET", url, headers=headers, timeout=timeout) as source:
            if not source.response.is_success:
                source.response.read()
                raise api_error(source.response)
            for message in source.iter_sse():
                if message.event == "end":
                    yield None
                elif message.data:  # a `retry:` line alone is a message without data
                    yield Event.from_json(message.json())


def _segment(text: str) -> str:
    """An id as one segment of a path, so that no id can lead to another route."""
    return quote(text, safe="") if text.strip(".") else "-"
