"""Trials, their attempts and measurements. Every write carries the job's lease and, once it runs, its attempt."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from archsmith.errors import AlreadyExists, NotFound
from search.ledger.engine import Database
from search.ledger.log import guard, note, one_line, publish
from search.ledger.moves import announce_end, announce_start, end_attempt, move_trial, trial_row
from search.ledger.rows import attempt_of, facts_of, measurement_of, trial_of
from search.ledger.tables import Now, attempts, count_column, measurements, trials
from search.ledger.values import Attempt, Json, Lease, StoredMeasurement, Trial
from search.trial import MAX_ATTEMPTS, RANDOM_ARM, Measurement, Outcome, TrialState

_PAGE = 500


Point = tuple[int, float]


class Trials:
    """Mixed into `Ledger`."""

    _database: Database

    def add_trial(
        self,
        lease: Lease,
        *,
        number: int,
        architecture: Json,
        hash: str,  # noqa: A002 - the name of the column
        choices: Mapping[str, Any],
        params: int,
        macs: int,
        behaviour: Mapping[str, float] | None = None,
        provenance: str = "controller",
        outcome: Outcome | None = None,
    ) -> None:
        """Store a proposal in state waiting; with `outcome`, ended at once (infeasible).

        Raises AlreadyExists for a number that the job already has, LeaseLost.
        """
        if outcome is not None and outcome.state is not TrialState.INFEASIBLE:
            raise ValueError(f"only an infeasible trial can end before it runs, got {outcome.state}")
        state = TrialState.WAITING if outcome is None else outcome.state
        with self._database.write() as connection:
            guard(connection, lease)
            if _exists(connection, lease.job_id, number):
                raise AlreadyExists(f"job {lease.job_id} already has a trial {number}")
            row = connection.execute(
                sa.insert(trials)
                .values(
                    job_id=lease.job_id, number=number, state=state, architecture=architecture, hash=hash,
                    choices=dict(choices), behaviour=dict(behaviour or {}), params=params, macs=macs,
                    provenance=provenance, created_at=Now(),
                    reason=one_line(outcome.reason) if outcome else None,
                    finished_at=Now() if outcome else None,
                )
                .returning(*trials.c)
            ).mappings().one()  # fmt: skip
            keys = ("number", "state", "reason", "hash", "params", "macs", "provenance")
            entered = None if provenance == RANDOM_ARM else state
            note(connection, lease.job_id, "trial_added", {key: row[key] for key in keys}, entered=entered)
            if outcome is not None:
                announce_end(connection, row)

    def add_prior(self, lease: Lease, number: int, trial: Trial, *, value: float) -> None:
        """Store a completed trial of another job as a prior trial of this one; it may become the incumbent.

        It is not counted: the counts are of the trials that the job itself makes.

        value: by this job's objective.
        Raises AlreadyExists for a number that the job already has, LeaseLost.
        """
        outcome = Outcome(number=number, state=trial.state, value=value, epochs=trial.epochs)
        same = ("architecture", "hash", "choices", "params", "macs", "search_score", "measures", "epochs")
        with self._database.write() as connection:
            job = guard(connection, lease)
            if _exists(connection, lease.job_id, number):
                raise AlreadyExists(f"job {lease.job_id} already has a trial {number}")
            row = connection.execute(
                sa.insert(trials)
                .values(
                    job_id=lease.job_id, number=number, state=trial.state, behaviour={}, provenance="prior",
                    value=value, created_at=Now(), finished_at=Now(), **{name: getattr(trial, name) for name in same},
                )
                .returning(*trials.c)
            ).mappings().one()  # fmt: skip
            keys = ("number", "state", "reason", "hash", "params", "macs", "provenance")
            note(connection, lease.job_id, "trial_added", {key: row[key] for key in keys})
            announce_end(connection, row)
            _keep_best(connection, job, outcome, row)

    def start_attempt(self, lease: Lease, number: int) -> int:
        """waiting or lost -> running; returns the attempt's number, 1 for the first. Raises Conflict, LeaseLost."""
        with self._database.write() as connection:
            guard(connection, lease)
            row = move_trial(
                connection, lease.job_id, number, TrialState.RUNNING,
                attempts=trials.c.attempts + 1, started_at=sa.func.coalesce(trials.c.started_at, Now()),
            )  # fmt: skip
            attempt = int(row["attempts"])
            connection.execute(
                sa.insert(attempts).values(
                    job_id=lease.job_id,
                    number=number,
                    attempt=attempt,
                    fence=lease.fence,
                    state="running",
                    started_at=Now(),
                )
            )
            if attempt == 1:
                announce_start(connection, row)
            return attempt

    def end_attempt_lost(self, lease: Lease, number: int, attempt: int) -> TrialState:
        """The machine was lost: running -> lost, or failed once MAX_ATTEMPTS were. Raises Conflict, LeaseLost."""
        with self._database.write() as connection:
            guard(connection, lease)
            trial_row(connection, lease.job_id, number, attempt)
            return _lose(connection, lease, number)

    def recover(self, lease: Lease) -> list[int]:
        """Attempts that earlier owners left running are lost -> the trials to start again. Raises LeaseLost."""
        left = (
            sa.select(attempts.c.number)
            .where(attempts.c.job_id == lease.job_id, attempts.c.state == "running", attempts.c.fence != lease.fence)
            .order_by(attempts.c.number)
        )
        with self._database.write() as connection:
            guard(connection, lease)
            numbers = list(connection.execute(left).scalars())
            return [n for n in numbers if _lose(connection, lease, n) is TrialState.LOST]

    def interrupt(self, lease: Lease, number: int, attempt: int) -> None:
        """running -> waiting, for a pause: the attempt does not count as lost. Raises Conflict, LeaseLost."""
        with self._database.write() as connection:
            guard(connection, lease)
            trial_row(connection, lease.job_id, number, attempt)
            end_attempt(connection, lease.job_id, number, "interrupted")
            move_trial(connection, lease.job_id, number, TrialState.WAITING)

    def add_measurement(self, lease: Lease, number: int, attempt: int, measurement: Measurement) -> bool:
        """Store one epoch. An epoch that is there already (a resumed attempt repeats it) is ignored: False.

        Raises LeaseLost when the attempt is not the one that runs now, Conflict when the trial has ended.
        """
        data = {"number": number, "attempt": attempt, **_measured(measurement)}
        with self._database.write() as connection:
            guard(connection, lease)
            row = trial_row(connection, lease.job_id, number, attempt)
            insert = sqlite.insert if self._database.sqlite else postgresql.insert
            new = connection.execute(
                insert(measurements)
                .values(job_id=lease.job_id, at=Now(), measures=dict(measurement.measures), **data)
                .on_conflict_do_nothing()
                .returning(measurements.c.epoch)  # the row count of an insert is not reliable with every driver
            )
            if new.one_or_none() is None:
                return False
            if measurement.epoch > row["epochs"]:
                update = sa.update(trials).where(trials.c.job_id == lease.job_id, trials.c.number == number)
                connection.execute(update.values(epochs=measurement.epoch))
            note(connection, lease.job_id, "measurement", data)
            publish(connection, lease.job_id, "measurement", data)
            return True

    def finish_trial(
        self,
        lease: Lease,
        number: int,
        attempt: int | None,
        outcome: Outcome,
        score: float | None = None,
        measures: Mapping[str, float] | None = None,
    ) -> None:
        """End a trial, and update the job's incumbent.

        attempt: the one that ran; None for a trial that waits, or to end whatever attempt it has.
        score: the raw search score of `outcome.value`; measures: other raw measures by name. Neither is kept when the
        outcome has no value (it failed later).
        Raises Conflict when the trial has ended, LeaseLost, ValueError.
        """
        if outcome.number != number:
            raise ValueError(f"the outcome is of trial {outcome.number}, not of trial {number}")
        if outcome.value is None:
            score, measures = None, None
        elif score is None or not math.isfinite(score):
            raise ValueError(f"an outcome with a value needs a finite score, got {score} for the value {outcome.value}")
        measured = {name: float(value) for name, value in (measures or {}).items()}
        if not all(math.isfinite(value) for value in measured.values()):
            raise ValueError(f"measures must be finite, got {measured}")
        with self._database.write() as connection:
            job = guard(connection, lease)
            row = move_trial(
                connection, lease.job_id, number, outcome.state, attempt=attempt, reason=outcome.reason,
                value=outcome.value, search_score=score, epochs=outcome.epochs, measures=measured,
            )  # fmt: skip
            if row["provenance"] != RANDOM_ARM:
                _keep_best(connection, job, outcome, row)

    def trials(
        self, job_id: str, *, after: int | None = None, limit: int = 50, state: TrialState | None = None
    ) -> list[Trial]:
        """Trials with number > after in order of number, without their measurements; the random arm's come last.

        Raises NotFound.
        """
        query = sa.select(trials).where(trials.c.job_id == job_id).order_by(trials.c.number).limit(limit)
        if after is not None:
            query = query.where(trials.c.number > after)
        if state is not None:
            query = query.where(trials.c.state == state)
        return [trial_of(row) for row in self._of_job(job_id, query)]

    def curves(self, job_id: str, *, after: int | None = None, limit: int = 500) -> list[tuple[int, list[Point]]]:
        """(number, [(epoch, score), …]) of `limit` trials with number > after, in order of number. Raises NotFound."""
        numbers = sa.select(trials.c.number).where(trials.c.job_id == job_id).order_by(trials.c.number).limit(limit)
        if after is not None:
            numbers = numbers.where(trials.c.number > after)
        found: dict[int, list[Point]] = {row["number"]: [] for row in self._of_job(job_id, numbers)}
        if found:
            columns = (measurements.c.number, measurements.c.epoch, measurements.c.score)
            within = measurements.c.number.between(min(found), max(found))
            points = sa.select(*columns).where(measurements.c.job_id == job_id, within)
            with self._database.read() as connection:
                for number, epoch, score in connection.execute(points.order_by(*columns[:2])):
                    found[number].append((epoch, score))
        return list(found.items())

    def facts(self, job_id: str) -> list[tuple[int, dict[str, float]]]:
        """(number, `Trial.facts`) of all completed trials of the search, by number, without what is large.

        Raises NotFound.
        """
        columns = (trials.c[name] for name in ("number", "search_score", "params", "macs", "measures"))
        query = sa.select(*columns).where(trials.c.job_id == job_id, trials.c.state == TrialState.COMPLETED)
        query = query.where(trials.c.provenance != RANDOM_ARM)
        rows = self._of_job(job_id, query.order_by(trials.c.number))
        return [(row["number"], facts_of(row)) for row in rows]

    def trial(self, job_id: str, number: int) -> Trial:
        """One trial with its measurements. Raises NotFound."""
        query = sa.select(trials).where(trials.c.job_id == job_id, trials.c.number == number)
        of_trial = (measurements.c.job_id == job_id) & (measurements.c.number == number)
        measured = sa.select(measurements).where(of_trial).order_by(measurements.c.epoch)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                raise NotFound("trial", number)
            curve = (measurement_of(m).measurement for m in connection.execute(measured).mappings())
            return trial_of(row, tuple(curve))

    def running(self, job_id: str) -> list[Trial]:
        """The trials that run now, with their measurements, in order of number. Raises NotFound."""
        query = sa.select(trials).where(trials.c.job_id == job_id, trials.c.state == TrialState.RUNNING)
        rows = self._of_job(job_id, query.order_by(trials.c.number))
        curves: dict[int, list[Measurement]] = {row["number"]: [] for row in rows}
        if rows:
            of_them = (measurements.c.job_id == job_id) & measurements.c.number.in_(curves)
            measured = sa.select(measurements).where(of_them).order_by(measurements.c.number, measurements.c.epoch)
            for found in self._of_job(job_id, measured):
                curves[found["number"]].append(measurement_of(found).measurement)
        return [trial_of(row, tuple(curves[row["number"]])) for row in rows]

    def measurements(self, job_id: str) -> list[StoredMeasurement]:
        """All of a job, in order of trial and epoch. Raises NotFound."""
        query = sa.select(measurements).where(measurements.c.job_id == job_id)
        rows = self._of_job(job_id, query.order_by(measurements.c.number, measurements.c.epoch))
        return [measurement_of(row) for row in rows]

    def attempts(self, job_id: str, number: int) -> list[Attempt]:
        """How often a trial was started, in order. Raises NotFound when there is no such job."""
        query = sa.select(attempts).where(attempts.c.job_id == job_id, attempts.c.number == number)
        return [attempt_of(row) for row in self._of_job(job_id, query.order_by(attempts.c.attempt))]

    def history(self, job_id: str) -> Iterator[Trial]:
        """Every trial of the search in order of number, read page by page: what a controller is restored from.

        Raises NotFound.
        """
        return (trial for trial in self._pages(job_id) if trial.provenance != RANDOM_ARM)

    def random_arm(self, job_id: str) -> list[Trial]:
        """The trials that the search is compared with, in order of number. Raises NotFound."""
        return [trial for trial in self._pages(job_id) if trial.provenance == RANDOM_ARM]

    def _pages(self, job_id: str) -> Iterator[Trial]:
        last: int | None = None
        while page := self.trials(job_id, after=last, limit=_PAGE):
            yield from page
            last = page[-1].number

    def _of_job(self, job_id: str, query: sa.Select[*tuple[Any, ...]]) -> list[sa.RowMapping]:
        raise NotImplementedError


def _exists(connection: sa.Connection, job_id: str, number: int) -> bool:
    query = sa.select(trials.c.number).where(trials.c.job_id == job_id, trials.c.number == number)
    return connection.execute(query).one_or_none() is not None


def _lose(connection: sa.Connection, lease: Lease, number: int) -> TrialState:
    """Close the running attempt of a trial as lost and move the trial -> its new state.

    Only attempts count that this owner started and that measured no new epoch: a trial that gets on is not what kills
    its machines, and what died with an earlier owner may have died of that.
    """
    end_attempt(connection, lease.job_id, number, "lost")
    of_trial = (attempts.c.job_id == lease.job_id) & (attempts.c.number == number)
    got_on = sa.exists().where(
        measurements.c.job_id == lease.job_id,
        measurements.c.number == number,
        measurements.c.attempt == attempts.c.attempt,
    )
    counted = of_trial & (attempts.c.state == "lost") & (attempts.c.fence == lease.fence) & ~got_on
    times = connection.execute(sa.select(sa.func.count()).select_from(attempts).where(counted)).scalar_one()
    if times < MAX_ATTEMPTS:
        move_trial(connection, lease.job_id, number, TrialState.LOST)
        return TrialState.LOST
    reason = f"worker lost repeatedly ({times} attempts)"
    move_trial(connection, lease.job_id, number, TrialState.FAILED, reason=reason)
    return TrialState.FAILED


def _measured(m: Measurement) -> Json:
    loss = m.train_loss if math.isfinite(m.train_loss) else None
    return {"epoch": m.epoch, "score": m.score, "train_loss": loss, "seconds": m.seconds}


def _keep_best(connection: sa.Connection, job: sa.RowMapping, outcome: Outcome, trial: sa.RowMapping) -> None:
    """Make a trial the incumbent where it is the best completed one. job: the row as it was before. trial: as it is."""
    if outcome.state is TrialState.COMPLETED and _better(outcome, job):
        score = trial["search_score"]
        told = {"number": outcome.number, "search_score": score}
        best = {"best_trial": outcome.number, "best_value": outcome.value, "best_score": score}
        note(connection, job["id"], "incumbent", told, values=best)
        ended = 1 + sum(job[count_column(state)] for state in TrialState if state.terminal)
        publish(connection, job["id"], "incumbent", {**told, "params": trial["params"], "ended": ended})


def _better(outcome: Outcome, job: sa.RowMapping) -> bool:
    """Larger value wins, of equals the lower number: the incumbent does not depend on the order of arrival."""
    if outcome.value is None or job["best_value"] is None:
        return outcome.value is not None
    return bool((outcome.value, -outcome.number) > (job["best_value"], -job["best_trial"]))
