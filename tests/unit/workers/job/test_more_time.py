"""A failed job says how it gets more time, where that is what it lacks."""

from pathlib import Path

import pytest

from archsmith.errors import Fault, InvalidInput, JobFailure
from search.ledger import Job, Ledger
from search.spec import Budget
from tests.factories import job_spec
from tests.ledgers import new_ledger
from workers.job import more_time

SMALL = Fault(pointer="/budget/seconds", rule="budget_too_small", detail="5 s are too few", allowed={"minimum": 41})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return new_ledger(f"sqlite:///{tmp_path / 'a.db'}")


def job(ledger: Ledger, *, ended_by: str | None, reproducible: bool = False) -> Job:
    made, _ = ledger.create_job(job_spec(budget=Budget(seconds=60.0), reproducible=reproducible))
    lease = ledger.claim("driver", 30.0)
    assert lease is not None
    if ended_by is not None:
        ledger.end_search(lease, ended_by, detail=None, seconds_used=60.0)
    return ledger.job(made.id)


@pytest.mark.parametrize("words", ["no trial succeeded: 2 × timeout", "no trial succeeded: none was run"])
def test_a_job_whose_time_was_over_names_extend(ledger: Ledger, words: str) -> None:
    ended = job(ledger, ended_by="budget_seconds")
    found = more_time.reason(JobFailure(words), ended)
    assert found == f"{words}; `archsmith extend {ended.id} --seconds 120` goes on with more"


def test_a_budget_that_is_too_small_names_the_least(ledger: Ledger) -> None:
    ended = job(ledger, ended_by=None)
    found = more_time.reason(InvalidInput(SMALL), ended)
    assert found == f"budget.seconds: 5 s are too few; `archsmith extend {ended.id} --seconds 41` goes on with more"
    fixed = job(ledger, ended_by=None, reproducible=True)
    assert more_time.reason(InvalidInput(SMALL), fixed).endswith("; post it again with 41 seconds")


def test_other_failures_stay_as_they_are(ledger: Ledger) -> None:
    crashed = JobFailure("no trial succeeded: 2 × crashed\nand more")
    assert more_time.reason(crashed, job(ledger, ended_by="budget_seconds")) == "no trial succeeded: 2 × crashed"
    late = JobFailure("no trial succeeded: 2 × timeout")
    assert more_time.reason(late, job(ledger, ended_by="budget_trials")) == str(late)
