"""All trials of a job by columns, for whoever shows tens of thousands of them: nothing large, one read."""

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
        wanted = [trials.c[name] for name in (*PLAIN, *_MAPS)]
        # As whole microseconds: 100,000 values of the type `Instant` took longer to make than all the rest.
        wanted += [sa.type_coerce(trials.c[name], sa.BigInteger).label(name) for name in TIMES]
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


def _measures(rows: tuple[Json, ...]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _choices(rows: tuple[Json, ...]) -> dict[str, Json]:
    places: dict[str, dict[str, int]] = {}
    options: dict[str, list[Any]] = {}
    chosen: dict[str, list[int | None]] = {}
    for at, row in enumerate(rows):
        for name, option in row.items():
            known = places.setdefault(name, {})
            key = repr(option)  # 1, 1.0 and True are equal, and not the same option
            if key not in known:
                known[key] = len(known)
                options.setdefault(name, []).append(option)
            column = chosen.setdefault(name, [None] * len(rows))
            column[at] = known[key]
    return {name: {"options": options[name], "chosen": chosen[name]} for name in options}
