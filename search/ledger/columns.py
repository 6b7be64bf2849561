"""All trials of a job by columns, for whoever shows tens of thousands of them: nothing large, one read."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from archsmith.errors import NotFound
from search.ledger.engine import Database
from search.ledger.tables import jobs, trials
from search.ledger.values import Json

PLAIN = (
    "number", "state", "provenance", "params", "macs", "search_score", "epochs", "attempts", "seconds", "reason",
)  # fmt: skip
TIMES = ("started_at", "finished_at")
_MAPS = ("measures", "choices")


class Columns:
    """Mixed into `Ledger`."""

    _database: Database

    def trial_columns(self, job_id: str) -> Json:
        """Columns of all trials in order of their numbers, and the newest event that they hold.

        Times are seconds since 1970. measures: a column for each. choices: for each decision its options and, for each
        trial, the place of the chosen one in them, null where the trial did not make the decision. Raises NotFound.
        """
        wanted: list[sa.ColumnElement[Any]] = [trials.c[name] for name in PLAIN]
        wanted.extend(sa.cast(trials.c[name], sa.Text).label(name) for name in _MAPS)
        # As whole microseconds: they leave as numbers, so no dates are made of them.
        wanted.extend(sa.type_coerce(trials.c[name], sa.BigInteger).label(name) for name in TIMES)
        query = sa.select(*wanted).where(trials.c.job_id == job_id).order_by(trials.c.number)
        with self._database.read() as connection:
            # The event first: what changes between the two reads is then told twice, and not lost.
            newest = connection.execute(sa.select(jobs.c.last_event).where(jobs.c.id == job_id)).scalar_one_or_none()
            if newest is None:
                raise NotFound("job", job_id)
            rows = connection.execute(query).all()
        columns = dict(zip((*PLAIN, *_MAPS, *TIMES), zip(*rows, strict=True), strict=True)) if rows else {}
        plain: Json = {name: list(columns.get(name, ())) for name in PLAIN}
        times = {name: [None if at is None else round(at / 1e6, 3) for at in columns.get(name, ())] for name in TIMES}
        return {
            "event": newest,
            "rows": len(rows),
            "columns": plain | times,
            "measures": _measures(columns.get("measures", ())),
            "choices": _choices(columns.get("choices", ())),
        }


def _measures(rows: Sequence[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for at, text in enumerate(rows):
        if text == "{}":
            continue
        for name, value in json.loads(text).items():
            if name not in found:
                found[name] = [None] * len(rows)
            found[name][at] = value
    return found


def _choices(rows: Sequence[str]) -> dict[str, Json]:
    places: dict[str, dict[tuple[type, Any], int]] = {}
    chosen: dict[str, list[int | None]] = {}
    for at, text in enumerate(rows):
        for name, option in json.loads(text).items():
            if name not in places:
                places[name], chosen[name] = {}, [None] * len(rows)
            key = (type(option), option)  # 1, 1.0 and True are equal, and not the same option
            chosen[name][at] = places[name].setdefault(key, len(places[name]))
    return {
        name: {"options": [option for _, option in known], "chosen": chosen[name]} for name, known in places.items()
    }
