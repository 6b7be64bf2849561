"""Events, the outbox, runs and finalists."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from archsmith.errors import Conflict
from search.ledger import Finalist, Ledger, open_ledger
from search.trial import JobState
from tests.conformance.ledger_base import WithLedger
from tests.factories import completed, job_spec, measurement, owned_job, running_trial, trial_fields


class EventConformance(WithLedger):
    def test_why_a_search_ended_is_an_event(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        ledger.end_search(lease, "space_exhausted", detail="no new\narchitecture", seconds_used=3.5)
        told = ledger.events(lease.job_id)[-1]
        assert told.kind == "search_ended"
        assert told.data == {"stopped_because": "space_exhausted", "detail": "no new architecture"}
        job = ledger.job(lease.job_id)
        assert (job.stopped_because, job.seconds_used) == ("space_exhausted", 3.5)

    def test_what_the_controller_believes_is_replaced(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        assert ledger.controller_state(lease.job_id) is None
        ledger.set_controller_state(lease, 1, {"probabilities": {"kernel": {"3": 0.5}}})
        ledger.set_controller_state(lease, 2, {"probabilities": {"kernel": {"3": 0.75}}})
        believed = ledger.controller_state(lease.job_id)
        assert believed is not None
        assert (believed.told, believed.state) == (2, {"probabilities": {"kernel": {"3": 0.75}}})

    def test_a_warning_is_an_event(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        ledger.warn(lease, 3, "the surrogate cannot be fitted:\nno finite spread")
        told = ledger.events(lease.job_id)[-1]
        assert told.kind == "warning"
        assert told.data == {"number": 3, "detail": "the surrogate cannot be fitted: no finite spread"}

    def test_events_tell_the_story_in_order(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        attempt = running_trial(ledger, lease)
        ledger.add_measurement(lease, 0, attempt, measurement(1))
        ledger.finish_trial(lease, 0, attempt, completed(0), 0.9)
        ledger.request(lease.job_id, "cancel")
        ledger.finish_job(lease, JobState.CANCELLED, "on request")
        events = ledger.events(lease.job_id)
        assert [e.id for e in events] == list(range(1, len(events) + 1))
        assert [(e.kind, e.data.get("state")) for e in events] == [
            ("job_state", "queued"), ("job_state", "running"), ("trial_added", "waiting"), ("trial_state", "running"),
            ("measurement", None), ("trial_state", "completed"), ("incumbent", None), ("job_wanted", None),
            ("job_state", "cancelled"),
        ]  # fmt: skip
        assert sorted(e.at for e in events) == [e.at for e in events]
        assert ledger.events(lease.job_id, after=3, limit=2) == events[3:5]
        assert ledger.events(lease.job_id, after=99) == []

    def test_event_ids_are_dense_under_many_writers(self, ledger: Ledger, url: str) -> None:
        lease = owned_job(ledger)
        for number in range(6):
            running_trial(ledger, lease, number)
        seen: list[int] = []
        done = threading.Event()

        def train(number: int) -> None:
            mine = open_ledger(url)
            for epoch in range(1, 11):
                assert mine.add_measurement(lease, number, 1, measurement(epoch))
            mine.finish_trial(lease, number, 1, completed(number, 0.5, epochs=10), 0.5)
            mine.close()

        def watch() -> None:
            while not (done.is_set() and len(seen) >= len(ledger.events(lease.job_id, limit=10_000))):
                seen.extend(e.id for e in ledger.events(lease.job_id, after=seen[-1] if seen else 0))

        def ask() -> None:
            for wanted in ("pause", "run") * 5:
                ledger.request(lease.job_id, wanted)

        with ThreadPoolExecutor(8) as pool:
            watching = pool.submit(watch)
            for work in [pool.submit(train, n) for n in range(6)] + [pool.submit(ask)]:
                work.result()
            done.set()
            watching.result()
        assert seen == list(range(1, len(seen) + 1)), "a reader that follows the ids misses nothing"
        assert len(ledger.measurements(lease.job_id)) == 60
        assert ledger.job(lease.job_id).best_trial == 0

    def test_the_outbox_holds_all_that_the_tracker_needs(self, ledger: Ledger) -> None:
        lease = owned_job(ledger, name="shirts")
        attempt = running_trial(ledger, lease)
        ledger.add_measurement(lease, 0, attempt, measurement(1, train_loss=math.nan))
        ledger.end_attempt_lost(lease, 0, attempt)
        ledger.finish_trial(lease, 0, ledger.start_attempt(lease, 0), completed(0), 0.9)
        ledger.add_trial(lease, **trial_fields(1))
        final = Finalist(job_id=lease.job_id, rank=1, trial_number=0, seed=0, state="running")
        ledger.set_finalist(lease, final)
        ledger.set_finalist(
            lease, Finalist(job_id=lease.job_id, rank=1, trial_number=0, seed=0, state="completed", test_score=0.8)
        )
        ledger.finish_job(lease, JobState.SUCCEEDED, final_score=0.8, stopped_because="trials")
        rows = ledger.outbox(lease.job_id)
        told = {r.kind: r.payload for r in rows}
        assert [r.kind for r in rows] == [
            "job_started", "trial_started", "measurement", "trial_ended", "incumbent", "finalist_ended", "job_ended"
        ], "a second attempt starts no second run, and what never ran is not told"  # fmt: skip
        spec = ledger.job(lease.job_id).spec.to_json()
        assert told["job_started"] == {"job_id": lease.job_id, "name": "shirts", "dataset": "digits", "spec": spec}
        fields = trial_fields(0)
        del fields["behaviour"]
        assert told["trial_started"] == {**fields, "provenance": "controller"}
        assert told["measurement"] == {
            "number": 0, "attempt": 1, "epoch": 1, "score": 0.5, "train_loss": None, "seconds": 0.25
        }  # fmt: skip
        end = {"number": 0, "state": "completed", "reason": None, "search_score": 0.9, "epochs": 1}
        assert told["trial_ended"].items() >= end.items()
        assert told["trial_ended"]["seconds"] >= 0
        params = fields["params"]
        assert told["incumbent"] == {"number": 0, "search_score": 0.9, "params": params, "ended": 1}
        assert told["finalist_ended"].items() >= {"rank": 1, "seed": 0, "trial_number": 0, "test_score": 0.8}.items()
        assert told["job_ended"].items() >= {"state": "succeeded", "final_score": 0.8, "best_trial": 0}.items()
        assert told["job_ended"]["counts"]["cancelled"] == 1

    def test_acknowledged_rows_leave_and_ids_are_not_used_again(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        running_trial(ledger, lease)
        first = ledger.outbox(lease.job_id)
        assert ledger.outbox_jobs() == [lease.job_id]
        assert ledger.outbox(lease.job_id, limit=1) == first[:1]
        ledger.acknowledge([row.id for row in first])
        ledger.acknowledge([])
        assert (ledger.outbox(lease.job_id), ledger.outbox_jobs()) == ([], [])
        running_trial(ledger, lease, 1)
        assert min(row.id for row in ledger.outbox(lease.job_id)) > max(row.id for row in first)
        ledger.acknowledge([row.id for row in first])
        assert len(ledger.outbox(lease.job_id)) == 1

    def test_a_job_that_never_started_is_not_told(self, ledger: Ledger) -> None:
        job, _ = ledger.create_job(job_spec())
        ledger.request(job.id, "cancel")
        assert ledger.outbox_jobs() == []

    def test_runs_are_filed_under_keys(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        running_trial(ledger, lease, 3)
        filed = {"experiment": "5", "job": "r0", "trial/3": "r1", "finalist/1/0": "r2"}
        for key, run in [("trial/3", "old"), *filed.items()]:
            ledger.set_run(lease.job_id, key, run)
        assert ledger.runs(lease.job_id) == filed
        job = ledger.job(lease.job_id)
        assert (job.mlflow_run_id, job.mlflow_experiment_id) == ("r0", "5")
        assert ledger.trial(lease.job_id, 3).mlflow_run_id == "r1"

    def test_a_finalist_that_ended_stays(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        running_trial(ledger, lease)

        def finalist(state: str, seed: int = 0, score: float | None = None) -> Finalist:
            return Finalist(
                job_id=lease.job_id, rank=1, trial_number=0, seed=seed, test_score=score, epochs=2, seconds=1.5,
                state=state,  # type: ignore[arg-type]
            )  # fmt: skip

        for state in ("waiting", "running", "running"):
            ledger.set_finalist(lease, finalist(state))
        ledger.set_finalist(lease, finalist("completed", score=0.5))
        ledger.set_finalist(lease, finalist("failed", seed=1))
        for again in (finalist("running"), finalist("completed", score=0.6), finalist("failed", seed=1)):
            with pytest.raises(Conflict):
                ledger.set_finalist(lease, again)
        for wrong in (finalist("completed"), finalist("running", score=0.5), finalist("completed", score=math.inf)):
            with pytest.raises(ValueError, match=r"test.score"):
                ledger.set_finalist(lease, wrong)
        assert ledger.finalists(lease.job_id) == [finalist("completed", score=0.5), finalist("failed", seed=1)]
