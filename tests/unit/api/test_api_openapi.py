"""The published document, and what the service's process may load."""

import json
import subprocess
import sys
from pathlib import Path

from tests.unit.api.support import Service

SNAPSHOT = Path(__file__).with_name("openapi.json")


def test_the_document_is_the_one_we_published(service: Service) -> None:
    now = service.get("/openapi.json").json()
    assert now == json.loads(SNAPSHOT.read_text()), f"meant so? python -m api.openapi > {SNAPSHOT.name}"


def test_every_reference_in_it_leads_somewhere(service: Service) -> None:
    text = service.get("/openapi.json").text
    schemas = json.loads(text)["components"]["schemas"]
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used <= schemas.keys()


def test_every_operation_tells_its_errors(service: Service) -> None:
    document = service.get("/openapi.json").json()
    for path in document["paths"].values():
        for operation in path.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_the_service_stays_light() -> None:
    heavy = "{'torch', 'optuna', 'ray', 'mlflow', 'sklearn', 'pandas'}"
    code = f"import sys, api.app, api.__main__, api.dispatcher, api.serve; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
