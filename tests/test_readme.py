"""The texts are held to the code: every command, target, request, job, variable, link and exit code in them is real."""

import ast
import importlib
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import BaseModel

from archsmith import cli, exceptions
from archsmith.client import Client
from archsmith.commands import watching

ROOT = Path(__file__).resolve().parent.parent
TEXTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
IDS = [path.relative_to(ROOT).as_posix() for path in TEXTS]
texts = pytest.mark.parametrize("path", TEXTS, ids=IDS)


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def lines(path: Path) -> Iterator[list[str]]:
    """Every command line of the shell blocks, as words."""
    for block in blocks(path, "sh"):
        block = re.sub(r"\s+# .*$", "", block, flags=re.MULTILINE)
        lexer = shlex.shlex(block, posix=True, punctuation_chars=";&|\n")
        lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, "#"
        words: list[str] = []
        for word in [*lexer, "\n"]:
            if set(word) <= set(";&|\n"):
                if words:
                    yield words
                words = []
            else:
                words.append(word)


def all_lines(program: str) -> list[list[str]]:
    found = [words for path in TEXTS for words in lines(path)]
    return [words[1:] for words in found if words[0] in (program, f".venv/bin/{program}")]


def test_the_texts_say_something() -> None:
    assert {words[0] for words in all_lines("make")} >= {"install", "test", "lint", "demo"}
    assert {words[0] for words in all_lines("archsmith")} >= {"serve", "submit", "watch", "jobs", "download", "upload"}
    assert len(all_lines("curl")) >= 4


@pytest.mark.parametrize("words", all_lines("archsmith"), ids=" ".join)
def test_every_archsmith_command_parses(words: list[str]) -> None:
    group = typer.main.get_command(cli.app)
    with group.make_context("archsmith", list(words)) as context:
        name, command, rest = group.resolve_command(context, words)  # type: ignore[attr-defined]
        command.make_context(name, rest, parent=context).close()


def test_the_options_of_serve_are_those_of_the_text() -> None:
    from api.serve import read_options

    (shown,) = re.findall(r"`archsmith serve`: `([^`]+)`", (ROOT / "README.md").read_text())
    words = shown.replace("DIR", "here").replace("N", "3").split()
    options = read_options(words, {})
    assert (options.host, options.port, options.mlflow_port, options.workers) == ("127.0.0.1", 8080, 5000, 3)


def test_every_make_target_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {name for path in TEXTS for name in re.findall(r"`make ([a-z-]+)", path.read_text())}
    named |= {words[0] for words in all_lines("make")}
    assert named - targets == set()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == targets
    assert {"install", "demo", "test", "lint", "bench", "chaos", "load", "compose-test", "bundle-test"} <= targets
    scripts = re.findall(r"\$\(BIN\)/python ([\w/]+\.py)", makefile)
    scripts += [name.replace(".", "/") + ".py" for name in re.findall(r"-m (benchmarks\.\w+)", makefile)]
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


def _requests() -> list[tuple[str, str, Any]]:
    """(method, path, JSON body or None) of every curl line."""
    found = []
    for words in all_lines("curl"):
        (url,) = [word for word in words if word.startswith("http://127.0.0.1:8080")]
        body = json.loads(words[words.index("-d") + 1]) if "-d" in words else None
        sends = "-d" in words or "-F" in words
        found.append(("post" if sends else "get", url.removeprefix("http://127.0.0.1:8080"), body))
    return found


def _documented_routes() -> set[tuple[str, str]]:
    text = (ROOT / "docs" / "http.md").read_text()
    return {
        (method.lower(), path.split("?")[0]) for method, path in re.findall(r"`(GET|POST|PATCH|DELETE) (/[^` ]*)", text)
    }


def test_requests_fit_the_routes_and_the_schemas() -> None:
    from api.schemas.requests import DatasetRequest, JobRequest, SpaceRequest

    models: dict[str, type[BaseModel]] = {
        "/v1/jobs": JobRequest,
        "/v1/spaces/validate": SpaceRequest,
        "/v1/datasets": DatasetRequest,
    }
    for method, path, body in _requests():
        assert (method, path) in _documented_routes()
        if body is not None:
            models[path].model_validate(body)
    for text in TEXTS:
        for block in blocks(text, "json"):
            JobRequest.model_validate(json.loads(block))
        for inline in re.findall(r'`(\{"dataset"[^`]*\})`', text.read_text()):
            JobRequest.model_validate(json.loads(inline))


def test_the_table_of_routes_is_whole() -> None:
    snapshot = json.loads((ROOT / "tests" / "unit" / "api" / "openapi.json").read_text())
    offered = {(method, path) for path, methods in snapshot["paths"].items() for method in methods}
    shortened = {("post", "/v1/jobs/{job_id}/pause"), ("post", "/v1/jobs/{job_id}/resume")}
    assert _documented_routes() | shortened == offered


def test_the_fields_of_a_job_are_documented_with_their_defaults() -> None:
    from api.schemas.requests import JobRequest

    table = (ROOT / "docs" / "jobs.md").read_text().partition("\n## ")[0]
    rows: dict[str, str] = {}
    for names, default in re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", table, re.MULTILINE):
        fields = re.findall(r"`([a-z_.]+)`", names)
        values = default.strip().strip("`").split(", ")
        rows.update(zip(fields, values if len(values) == len(fields) else values * len(fields), strict=True))
    job = JobRequest.model_validate({"dataset": "digits"}).spec().to_json()
    for section in ("budget", "trial", "finalists", "objective", "stop"):
        for field, value in job[section].items():
            told = rows.pop(f"{section}.{field}").strip("`")
            default = None if told in ("none", "null") else json.loads(told)
            # a list of one may be given as that one
            assert default == ((value or [None])[0] if isinstance(value, list) else value)
    assert {"dataset", "name", "seed", "reproducible", "space", "controller"} <= set(rows)


def test_the_options_of_controllers_are_those_of_the_table() -> None:
    from search.factory import CONTROLLERS

    _check_options("Controllers", {name: entry.options for name, entry in CONTROLLERS.items()})


def test_the_options_of_compression_are_those_of_the_table() -> None:
    from search.compress import STEPS

    _check_options("The smaller model", STEPS)


def _check_options(title: str, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """The section has a row for each name and one for each option, with its default and its range."""
    from search.options import Number

    def row(name: str, option: str, found: Any) -> tuple[str, ...]:
        if isinstance(found, Number):
            high = found.high if found.whole else f"{found.high:g}"
            law = f"{'whole, ' if found.whole else ''}{'above ' if found.above else ''}{found.low:g} to {high}"
            return name, option, str(found.default), law
        return name, option, f"`{found.default}`", " or ".join(f"`{word}`" for word in found.words)

    text = (ROOT / "docs" / "jobs.md").read_text().partition(f"## {title}")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `(\w+)` \| `(\w+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", text, re.MULTILINE))
    assert told == {row(name, *one) for name, options in entries.items() for one in options.items()}
    assert {name for name, _ in re.findall(r"^\| `(\w+)` \| ([^`|][^|]+) \|$", text, re.MULTILINE)} == set(entries)


@texts
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text())
    broken = [target for target in targets if "://" not in target and not (path.parent / target).exists()]
    assert broken == []


@texts
def test_python_examples_use_what_is_there(path: Path) -> None:
    for block in blocks(path, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "client":
                assert hasattr(Client, node.attr), f"Client has no {node.attr}"


def test_the_api_reference_names_what_exists() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    modules = re.findall(r"^\.\. automodule:: (\S+)\n   :members: (.+)$", text, re.MULTILINE)
    named = [(module, name) for module, names in modules for name in names.split(", ")]
    named += re.findall(r"^\.\. auto(?:class|exception):: (\S+)\.(\w+)$", text, re.MULTILINE)
    assert [f"{module}.{name}" for module, name in named if not hasattr(importlib.import_module(module), name)] == []
    raised = {
        name
        for name, value in vars(exceptions).items()
        if isinstance(value, type) and value.__module__ == exceptions.__name__
    }
    assert raised <= {name for _, name in named}, "every exception of the client is on the page"


@texts
def test_no_path_of_one_machine_is_told(path: Path) -> None:
    assert re.findall(r"(?<![\w.])/(?:home|root|work|farm|opt/wheels)\b\S*", path.read_text()) == []


def test_the_variables_are_those_of_the_code() -> None:
    sources = [
        path for room in ("api", "archsmith", "workers", "search", "space") for path in (ROOT / room).rglob("*.py")
    ]
    used = {name for path in sources for name in re.findall(r"ARCHSMITH_[A-Z_]*[A-Z]", path.read_text())}
    # `serve` makes these from its options' names.
    from_options = {
        "ARCHSMITH_MLFLOW_PORT",
        "ARCHSMITH_WORKERS",
        "ARCHSMITH_JOBS",
    }
    text = (ROOT / "docs" / "configuration.md").read_text()
    assert set(re.findall(r"ARCHSMITH_[A-Z_]*[A-Z]", text)) == used | from_options


def test_exit_codes_are_those_of_the_command() -> None:
    table = (ROOT / "docs" / "command.md").read_text().partition("## Exit codes")[2]
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    codes = ("OK", "FAILED", "INVALID", "NO_SERVICE", "CONFLICT", "INTERRUPTED")
    assert told == {getattr(watching, name) for name in codes}
    assert {int(code) for code in re.findall(r"(\d+) ", cli.EPILOG)} == told


def test_the_lock_files_hold_hashes_and_nothing_of_cuda() -> None:
    for name in ("requirements.lock", "requirements-runtime.lock"):
        text = (ROOT / name).read_text()
        pinned = re.findall(r"^([a-z][\w.-]*)==", text, re.MULTILINE)
        assert len(pinned) > 100
        assert text.count(" \\\n    --hash=sha256:") >= len(pinned)
        assert [one for one in pinned if one == "torch" or one.startswith(("nvidia", "cuda", "triton"))] == []
        assert "://" not in text
