"""The OpenAPI document, and the libraries that the API's process loads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.api.support import Service

SNAPSHOT = Path(__file__).with_name("openapi.json")


def test_the_document_equals_its_snapshot(service: Service) -> None:
    now = service.get("/openapi.json").json()
    assert now == json.loads(SNAPSHOT.read_text()), (
        f"if the change is intended: python -m api.openapi > {SNAPSHOT.name}"
    )


def test_every_reference_has_a_schema(service: Service) -> None:
    text = service.get("/openapi.json").text
    schemas = json.loads(text)["components"]["schemas"]
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used <= schemas.keys()


@pytest.mark.heavy
def test_every_operation_declares_its_errors(service: Service) -> None:
    document = service.get("/openapi.json").json()
    for path in document["paths"].values():
        for operation in path.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"]


@pytest.mark.heavy
def test_the_service_loads_no_heavy_library() -> None:
    heavy = "{'torch', 'optuna', 'ray', 'mlflow', 'sklearn', 'pandas'}"
    code = f"import sys, api.app, api.__main__, api.dispatcher, api.serve; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
