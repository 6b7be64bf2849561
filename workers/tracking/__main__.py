"""`python -m workers.tracking [JOB_ID…]`: deliver what these, or all, ended jobs left behind."""

import argparse
import logging
import sys
import time
from collections.abc import Sequence

from search.ledger import open_ledger
from workers.settings import Settings
from workers.tracking.writer import deliver_leftovers

log = logging.getLogger("archsmith.tracking")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.tracking", description="Deliver what ended jobs left.")
    parser.add_argument("job_ids", nargs="*", metavar="JOB_ID")
    wanted = parser.parse_args(arguments).job_ids
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = Settings.from_env()
    if not settings.mlflow_url:
        log.error("ARCHSMITH_MLFLOW_URL is not set")
        return 2
    ledger = open_ledger(settings.database_url)
    began = time.monotonic()
    left = [job_id for job_id in ledger.outbox_jobs() if ledger.job(job_id).state.terminal]
    deliver_leftovers(settings, ledger, [job_id for job_id in left if not wanted or job_id in wanted])
    log.info("delivered in %.1f s", time.monotonic() - began)
    return 0


if __name__ == "__main__":
    sys.exit(main())
