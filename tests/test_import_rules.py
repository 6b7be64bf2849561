"""Who may import whom, read from the sources: the order of the rooms, one home per large library, no cycles, size."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("space", "search", "workers", "api")
"""From the inside out: a room may enter those before it."""
SHARED = ("archsmith.__version__", "archsmith.errors", "archsmith.formats")
"""All that a room may take from the client's package; its own first lines load nothing."""
MAX_LINES = 400

HOMES: dict[str, tuple[str, ...]] = {
    "alembic": ("search/ledger/",),
    "dahuffman": ("workers/compress/packed.py",),
    "fastapi": ("api/",),
    "httpx": ("archsmith/",),
    "httpx_sse": ("archsmith/",),
    "jinja2": ("workers/templates.py",),
    "jsonschema": (),
    "lark": ("space/constraint.py",),
    "mlflow": ("workers/tracking/",),
    "onnx": ("space/export.py",),
    "onnxruntime": ("workers/bundle/exports.py", "workers/compress/int8.py"),
    "onnxscript": (),
    "optuna": (
        "search/controllers/gp.py",
        "search/controllers/nsga2.py",
        "search/controllers/optuna_bridge.py",
        "search/controllers/tpe.py",
    ),
    "PIL": ("workers/datasets/",),
    "psycopg": ("search/ledger/",),
    "pydantic": ("api/",),
    "pydantic_core": ("api/",),
    "python_multipart": ("api/",),
    "ray": ("workers/cluster/",),
    "rich": ("archsmith/",),
    "safetensors": ("workers/",),
    "h5py": ("workers/datasets/hdf5.py",),
    "nibabel": ("workers/datasets/nifti.py",),
    "pyarrow": ("workers/datasets/parquet.py", "workers/datasets/series_table.py", "workers/datasets/table.py"),
    "scipy": (
        "search/stopping/extrapolation.py",
        "search/surrogate/gaussian_process.py",
        "workers/datasets/mat.py",
        "workers/report/rank_agreement.py",
        "workers/simple/graphs.py",
    ),
    "sklearn": ("workers/compress/sharing.py", "workers/datasets/", "workers/simple/"),
    "sqlalchemy": ("search/ledger/",),
    "starlette": ("api/",),
    "torch": ("space/operations/", "space/build.py", "space/export.py", "workers/"),
    "typer": ("archsmith/",),
    "uvicorn": ("api/", "workers/tracking/mlflow_server.py"),
    "yaml": ("space/", "archsmith/commands/inputs.py"),
}
"""Library -> the only files, or folders with a / at the end, that import it."""
NOWHERE = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
BROAD_EXCEPT = ("workers/cluster/trial.py", "space/third_party.py")
"""The border of a trial, and that to exporters and runtimes."""
BUGS = {"AssertionError", "AttributeError", "LookupError", "NameError"}
"""What a slip in our own code raises, or a base of it: to catch one is to hide the slip."""
MIXED_BUGS = {"TypeError"}
"""As BUGS where it is caught among others; alone it may answer a question, such as whether a value has a hash."""
_READERS = ("arrays", "pixels", "hdf5", "mat", "nifti")
FOREIGN_READERS = {f"workers/datasets/{name}.py": MIXED_BUGS for name in _READERS}
"""NumPy's reader of array headers, Pillow's of picture files, h5py, scipy.io and nibabel raise TypeError for some files
that are damaged."""


@dataclass(frozen=True)
class Source:
    """One of our files. `path` is relative to the root, with /."""

    path: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.path.split("/")[0]

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def imports(self) -> list[tuple[str, int]]:
        """(dotted name, line), wherever in the file: `from a.b import c` gives "a.b.c", as if c were a module."""
        return [(name, getattr(node, "lineno", 0)) for node in self.nodes for name in _named(node)]


def _named(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = "." * node.level + ("" if node.module is None else node.module + ".")
        return [base + alias.name for alias in node.names]
    return []


@cache
def sources() -> list[Source]:
    paths = [path for package in (*ROOMS, "archsmith") for path in sorted((ROOT / package).rglob("*.py"))]
    return [Source(path.relative_to(ROOT).as_posix(), ast.parse(path.read_bytes())) for path in paths]


def foreign_rooms(source: Source) -> Iterator[str]:
    """Imports that the order of the rooms forbids."""
    for name, line in source.imports:
        top = name.split(".")[0]
        if name.startswith("."):
            yield f"{source.path}:{line} uses a relative import"
        elif source.room == "archsmith":
            if top in ROOMS:
                yield f"{source.path}:{line} imports {name}: the client speaks HTTP only"
        elif top == "archsmith":
            if name != "archsmith" and name not in SHARED and name.rpartition(".")[0] not in SHARED:
                yield f"{source.path}:{line} imports {name}: rooms share {' and '.join(SHARED)} only"
        elif top in ROOMS and ROOMS.index(top) > ROOMS.index(source.room):
            yield f"{source.path}:{line} imports {name}: {top} is further out"


def homeless(source: Source) -> Iterator[str]:
    """Large libraries away from home."""
    for name, line in source.imports:
        top = name.split(".")[0]
        if top in NOWHERE:
            yield f"{source.path}:{line} imports {top}"
        homes = HOMES.get(top)
        if homes is not None and not any(_lives(source.path, home) for home in homes):
            yield f"{source.path}:{line} imports {top}, whose home is {', '.join(homes) or 'the tests'}"


def _lives(path: str, home: str) -> bool:
    return path.startswith(home) if home.endswith("/") else path == home


def broad_excepts(source: Source) -> Iterator[str]:
    """Handlers that catch everything, what a bug of ours raises, or classes that a reader cannot see."""
    if source.path in BROAD_EXCEPT:
        return
    tuples = {target.id: node.value.elts for node in source.tree.body
              if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
              for target in node.targets if isinstance(target, ast.Name)}  # fmt: skip
    for node in source.nodes:
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = _classes(node.type, tuples)
        names = {None if each is None else ast.unparse(each) for each in caught}
        bugs = names & (BUGS | (MIXED_BUGS if len(caught) > 1 else set())) - FOREIGN_READERS.get(source.path, set())
        if names & {None, "Exception", "BaseException"}:
            yield f"{source.path}:{node.lineno} catches everything"
        elif bugs:
            yield f"{source.path}:{node.lineno} catches {', '.join(sorted(map(str, bugs)))}, which a bug of ours raises"
        elif not all(isinstance(each, ast.Name | ast.Attribute) for each in caught):
            yield f"{source.path}:{node.lineno} computes what it catches: name the classes"


def _classes(caught: ast.expr | None, tuples: dict[str, list[ast.expr]]) -> list[ast.expr | None]:
    """The classes of a handler, with the file's own tuples of classes spelled out."""
    if isinstance(caught, ast.Starred):
        return _classes(caught.value, tuples)
    if isinstance(caught, ast.Name) and caught.id in tuples:
        return [each for inner in tuples[caught.id] for each in _classes(inner, tuples)]
    if isinstance(caught, ast.Tuple):
        return [each for inner in caught.elts for each in _classes(inner, tuples)]
    return [caught]


def risky_calls(source: Source) -> Iterator[str]:
    """Calls that run what they read."""
    for node in source.nodes:
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if name in ("eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen"):
            yield f"{source.path}:{node.lineno} calls {name}"
        if name == "torch.load" and given.get("weights_only") != "True":
            yield f"{source.path}:{node.lineno} calls torch.load without weights_only=True"
        if given.get("shell") == "True" or given.get("allow_pickle") == "True":
            yield f"{source.path}:{node.lineno} runs what it is given"


def cycle(files: list[Source]) -> list[str] | None:
    """Modules that import one another in a ring while they load (imports inside functions come later, and may)."""
    known = {source.module for source in files}
    graph = {}
    for source in files:
        targets = (name if name in known else name.rpartition(".")[0] for name, _ in source.imports)
        graph[source.module] = {target for target in targets if target in known and target != source.module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return None


def folder_cycle(files: list[Source]) -> list[str] | None:
    """Folders of a package that import one another in a ring. Files directly in a package belong to no folder."""
    known = {source.module for source in files}
    graph: dict[str, set[str]] = {}
    for source in files:
        targets = (name if name in known else name.rpartition(".")[0] for name, _ in source.imports)
        for target in targets:
            one, other = _folder(source.module), _folder(target)
            if target in known and one and other and one != other and one.split(".")[0] == other.split(".")[0]:
                graph.setdefault(one, set()).add(other)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return None


def _folder(module: str) -> str | None:
    parts = module.split(".")
    return ".".join(parts[:2]) if len(parts) > 2 else None


@pytest.mark.parametrize("rule", [foreign_rooms, homeless, broad_excepts, risky_calls])
def test_the_sources_keep_the_rule(rule: object) -> None:
    assert callable(rule)
    assert [complaint for source in sources() for complaint in rule(source)] == []


def test_no_module_imports_itself_through_others() -> None:
    assert cycle(sources()) is None


def test_no_folder_imports_itself_through_others() -> None:
    assert folder_cycle(sources()) is None


@pytest.mark.parametrize(
    ("module", "stays_away"),
    [
        ("archsmith.cli", (*ROOMS, "torch", "ray", "mlflow", "optuna", "sqlalchemy", "fastapi")),
        ("archsmith.errors", (*ROOMS, "httpx", "typer")),
        ("archsmith.formats", (*ROOMS, "httpx", "typer")),
        ("api.app", ("torch", "optuna", "ray", "mlflow")),
        ("space.space", ("torch",)),
        ("workers.tracking.mlflow_server", (*ROOMS[:2], "mlflow", "torch", "ray")),
        ("workers.cluster.remote", (*ROOMS[:2], "torch", "ray", "sqlalchemy")),
        ("workers.bundle.predict", ("torch", "ray", "mlflow", "optuna", "sqlalchemy")),
    ],
)
def test_loading_a_module_keeps_the_heavy_ones_away(module: str, stays_away: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*sorted(set({stays_away!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == []


def test_files_stay_readable_in_one_go() -> None:
    folders = (*ROOMS, "archsmith", "tests", "benchmarks", "docker")
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines())
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def _complaints(path: str, text: str) -> list[str]:
    source = Source(path, ast.parse(text))
    return [line for rule in (foreign_rooms, homeless, broad_excepts, risky_calls) for line in rule(source)]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("space/a.py", "import search.trial"),
        ("search/a.py", "from workers import cluster"),
        ("workers/a.py", "def f():\n    from api.app import create_app"),
        ("archsmith/a.py", "from search.trial import TrialState"),
        ("api/a.py", "from archsmith.client import Client"),
        ("api/a.py", "from archsmith import Client"),
        ("api/a.py", "from . import views"),
        ("api/a.py", "import torch"),
        ("search/a.py", "import optuna.samplers"),
        ("workers/driver.py", "from ray import tune"),
        ("workers/a.py", "import mlflow"),
        ("search/ledgers.py", "import sqlalchemy"),
        ("space/a.py", "import pickle"),
        ("api/a.py", "try:\n    f()\nexcept Exception:\n    pass"),
        ("api/a.py", "try:\n    f()\nexcept (ValueError, BaseException) as error:\n    pass"),
        ("api/a.py", "try:\n    f()\nexcept:\n    pass"),
        ("workers/a.py", "try:\n    f()\nexcept (ValueError, AttributeError):\n    pass"),
        ("workers/a.py", "try:\n    f()\nexcept (RuntimeError, TypeError):\n    pass"),
        ("workers/a.py", "try:\n    f()\nexcept LookupError:\n    pass"),
        ("workers/a.py", "ALL = (OSError, NameError)\ntry:\n    f()\nexcept (*ALL, ValueError):\n    pass"),
        ("workers/a.py", "try:\n    f()\nexcept failures():\n    pass"),
        ("workers/a.py", "x = torch.load(path)"),
        ("workers/a.py", "np.load(path, allow_pickle=True)"),
        ("space/a.py", "eval('1')"),
        ("space/a.py", "yaml.load(text)"),
        ("api/a.py", "subprocess.run('ls', shell=True)"),
    ],
)
def test_the_rules_see_what_they_forbid(path: str, text: str) -> None:
    assert _complaints(path, text) != []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("api/a.py", "from archsmith.errors import NotFound\nfrom space.space import Space"),
        ("workers/cluster/trial.py", "try:\n    f()\nexcept Exception:\n    pass"),
        ("space/third_party.py", "try:\n    f()\nexcept Exception:\n    pass"),
        ("space/a.py", "try:\n    f()\nexcept TypeError:\n    pass"),
        ("space/a.py", "ALL = (OSError, ValueError)\ntry:\n    f()\nexcept (*ALL, KeyError):\n    pass"),
        ("search/ledger/a.py", "import sqlalchemy as sa"),
        ("workers/a.py", "torch.load(path, weights_only=True)"),
        ("space/build.py", "import torch"),
    ],
)
def test_the_rules_let_pass_what_is_allowed(path: str, text: str) -> None:
    assert _complaints(path, text) == []


def test_a_ring_is_seen() -> None:
    ring = [Source("space/a.py", ast.parse("from space.b import x")), Source("space/b.py", ast.parse("import space.a"))]
    assert cycle(ring) is not None


def test_a_ring_of_folders_is_seen() -> None:
    ring = [
        Source("workers/a/one.py", ast.parse("from workers.b.two import x")),
        Source("workers/b/two.py", ast.parse("")),
        Source("workers/b/three.py", ast.parse("from workers.a.four import y")),
        Source("workers/a/four.py", ast.parse("")),
    ]
    assert cycle(ring) is None
    assert folder_cycle(ring) is not None
