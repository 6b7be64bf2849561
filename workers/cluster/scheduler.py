"""Ray Tune's side of early stopping: asks after each epoch whether a trial continues, and passes the answer to Tune.

The searcher decides, from the job's measurements and by the rules of `search/stopping/early_stopping.py`. Nothing is
kept here, so nothing is lost with a driver. Trials start in the order in which they were suggested.
"""

from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from workers.cluster.searcher import LedgerSearcher


class EarlyStoppingScheduler(FIFOScheduler):
    """Tune asks for every epoch but a trial's last one."""

    def __init__(self, searcher: LedgerSearcher) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._searcher = searcher

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        goes_on = self._searcher.goes_on(trial.trial_id, result)
        return TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP
