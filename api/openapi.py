"""Prints the OpenAPI document: `python -m api.openapi > tests/unit/api/openapi.json` renews the snapshot."""

import json
import sys
import tempfile
from pathlib import Path

from api.app import create_app
from api.http.middleware import Edge
from search.ledger import open_ledger
from search.validate import Pool
from workers.settings import Settings


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(state=Path(folder), database_url=f"sqlite:///{folder}/archsmith.db")
        ledger = open_ledger(settings.database_url)
        app = create_app(settings, ledger, edge=Edge(pool=Pool(cpus=1, gpus=0)))
        sys.stdout.write(json.dumps(app.openapi(), indent=1, sort_keys=True) + "\n")
        ledger.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
