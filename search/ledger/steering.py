"""What a user may change of a job that was posted already, and how its owner learns of it."""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from archsmith.errors import Conflict
from search.extending import Spent, changed, extended
from search.ledger.datasets import hold_dataset
from search.ledger.ending import move_job
from search.ledger.engine import Database
from search.ledger.log import guard, lost, note, publish
from search.ledger.plans import newest_plan
from search.ledger.rows import job_of, job_row
from search.ledger.tables import count_column, finalists, jobs, measurements, trials
from search.ledger.values import Control, Job, Json, Lease
from search.planning.values import Plan, passes
from search.spec import Budget
from search.trial import RANDOM_ARM_FROM, JobState, TrialState

_CAN_FINISH = (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)


class Steering:
    """Mixed into `Ledger`."""

    _database: Database

    def finish(self, job_id: str, *, within_seconds: float | None = None) -> Job:
        """Ask a job to end its search now and to do what follows it; a paused one goes back to the queue for that.

        within_seconds: of work, from when its owner learns of it; None = as long as it takes. Asking again replaces the
        limit. Raises NotFound; Conflict unless a trial has a score, and for a job that has ended, is to be cancelled,
        or has no search.
        """
        with self._database.write() as connection:
            row = job_row(connection, job_id, lock=True)
            _check_finish(connection, row)
            values = {"finishing": {"within_seconds": within_seconds, "until": None}, "wanted": "run"}
            note(
                connection, job_id, "finish_wanted", {"within_seconds": within_seconds},
                values={**values, "version": jobs.c.version + 1},
            )  # fmt: skip
            if JobState(row["state"]) is JobState.PAUSED:
                move_job(connection, row, JobState.QUEUED)
            return job_of(job_row(connection, job_id))

    def change_budget(
        self,
        job_id: str,
        changes: Mapping[str, Any],
        *,
        kept_as: str | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> Job:
        """Set limits of a job's budget. A search that has ended goes on, and a job that has ended is queued for that.

        The owner of a running job learns it by `control`, where `stopped_because` is None again.
        changes: see `search.extending`. kept_as: name of a file with the bundle of a job that has succeeded; it is held
        until the next one is there. check: of an ended job, as in `create_job`.
        Raises NotFound, InvalidInput, Conflict.
        """
        with self._database.write() as connection:
            row = job_row(connection, job_id, lock=True)
            if JobState(row["state"]).terminal:
                hold_dataset(connection, row["spec"]["dataset"])
                check()
            job, spent = job_of(row), _spent(connection, row)
            _check_search(job)
            if job.state.terminal or job.stopped_because:
                spec = extended(job.spec, changes, spent, ended_by=job.stopped_because)
                _continue(connection, row, kept_as)
            else:
                spec = changed(job.spec, changes, spent)
            if spec != job.spec:
                data = {name: getattr(spec.budget, name) for name in changes}
                values = {"spec": spec.to_json(), "version": jobs.c.version + 1}
                note(connection, job_id, "budget_changed", data, values=values)
            return job_of(job_row(connection, job_id))

    def control(self, lease: Lease) -> Control:
        """What the user wants now, without writing anything. Raises LeaseLost."""
        plain = (jobs.c.wanted, jobs.c.finishing, jobs.c.stopped_because)
        query = sa.select(*plain, jobs.c.spec["budget"].label("budget"))
        query = query.where(jobs.c.id == lease.job_id, jobs.c.fence == lease.fence, jobs.c.owner == lease.owner)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                raise lost(connection, lease)
        return Control(**{**row, "budget": Budget(**row["budget"])})

    def begin_finish(self, lease: Lease, *, within_seconds: float | None, until: float | None) -> bool:
        """Note when the work must end, so that the next owner knows it; False if another limit is wanted by now.

        until: seconds of work of the whole job. Raises LeaseLost.
        """
        with self._database.write() as connection:
            row = guard(connection, lease)
            if (row["finishing"] or {}).get("within_seconds") != within_seconds:
                return False
            finishing = {"within_seconds": within_seconds, "until": until}
            connection.execute(sa.update(jobs).where(jobs.c.id == lease.job_id).values(finishing=finishing))
            return True

    def set_interim_bundle(self, lease: Lease, given: Json) -> None:
        """Hand out this bundle from now on, until the job has its final one. Raises LeaseLost."""
        with self._database.write() as connection:
            guard(connection, lease)
            shown = {name: value for name, value in given.items() if name != "file"}
            note(connection, lease.job_id, "bundle", shown, values={"interim_bundle": given})


def _check_search(job: Job) -> None:
    if job.spec.compress is not None and job.spec.compress.of is not None:
        raise Conflict("the job compresses the winner of another one and has no search", state=job.state)


def _check_finish(connection: sa.Connection, row: sa.RowMapping) -> None:
    job = job_of(row)
    _check_search(job)
    if job.state not in _CAN_FINISH:
        rule = "only a job that is queued or running or paused can be finished early"
        raise Conflict(f"the job is already {job.state}; {rule}", state=job.state, allowed=_CAN_FINISH)
    if job.wanted == "cancel":
        raise Conflict("the job is running and about to be cancelled", state=job.state, allowed=_CAN_FINISH)
    of_search = (measurements.c.job_id == job.id) & (measurements.c.number < RANDOM_ARM_FROM)
    scored = connection.execute(sa.select(measurements.c.number).where(of_search).limit(1)).one_or_none()
    if scored is None and job.best_trial is None:
        raise Conflict(
            "no trial has a score yet, so there is nothing to finish; wait, or cancel the job", state=job.state
        )


def _spent(connection: sa.Connection, row: sa.RowMapping) -> Spent:
    count = {state: int(row[count_column(state)]) for state in TrialState}
    of_search = (trials.c.job_id == row["id"]) & (trials.c.number < RANDOM_ARM_FROM) & (trials.c.provenance != "prior")
    ended = of_search & trials.c.state.in_([state for state in TrialState if state.terminal])
    lengths = sa.select(trials.c.epochs, sa.func.count()).where(ended).group_by(trials.c.epochs)
    job, found = job_of(row), newest_plan(connection, row["id"])
    plan = None if found is None else Plan.from_json(found)
    whole = job.spec.budget.trial_epochs if plan is None else len(plan.rungs)
    return Spent(
        seconds=job.spent_s,
        trials=sum(n for state, n in count.items() if state.terminal),
        open=sum(n for state, n in count.items() if not state.terminal),
        epochs=sum(number * passes(plan, epochs) for epochs, number in connection.execute(lengths)),
        trial_epochs=passes(plan, whole),
    )


def _continue(connection: sa.Connection, row: sa.RowMapping, kept_as: str | None) -> None:
    """As if the search had not ended. What there is to hand out stays; final trainings will be made anew."""
    if row["started_at"] is not None:
        publish(connection, row["id"], "job_continued", {"round": row["rounds"] + 1})
    values: dict[str, Any] = {"stopped_because": None, "finishing": None, "rounds": row["rounds"] + 1}
    connection.execute(sa.delete(finalists).where(finalists.c.job_id == row["id"]))
    if not JobState(row["state"]).terminal:
        connection.execute(sa.update(jobs).where(jobs.c.id == row["id"]).values(values))
        return
    values |= dict.fromkeys(("final_score", "finished_at", "bundle_sha256", "bundle_bytes"))
    if row["bundle_sha256"] and kept_as:
        values["interim_bundle"] = {
            "file": kept_as,
            "sha256": row["bundle_sha256"],
            "bytes": row["bundle_bytes"],
            "provisional": None,
            "final_score": row["final_score"],
        }
    move_job(connection, row, JobState.QUEUED, wanted="run", phase="prepare", **values)
