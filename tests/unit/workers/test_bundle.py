"""The bundle: whole or absent, the same bytes for the same input, and a model that opens."""

import hashlib
import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save

from archsmith import torch_only
from space import presets
from space.architecture import Architecture
from space.build import build
from space.space import Space, replay
from workers import bundle
from workers import bundle_texts as texts
from workers.train.features import Features

PREPROCESSING = bundle.Preprocessing(mean=(4.0,), std=(2.0,), dtype="uint8", labels=tuple("0123456789"))
REPORT: dict[str, Any] = {
    "job": {"name": "small"},
    "finalists": [{"epochs": 12}],
    "final_score": 0.9,
    "score": "accuracy",
    "measures": {"accuracy": 0.9, "balanced_accuracy": 0.85, "auc": 0.99},
    "search_score": 0.8,
    "dataset": {"name": "digits"},
    "trials": {"completed": 3, "failed": 1},
}


@pytest.fixture(scope="module")
def architecture() -> Architecture:
    space = Space.parse(presets.load("tiny"), input_shape=(1, 8, 8), classes=10)
    return space.sample(replay(space.baseline()))


@pytest.fixture(scope="module")
def network(architecture: Architecture) -> torch.nn.Module:
    torch.manual_seed(0)
    return build(architecture).eval()


def _publish(folder: Path, architecture: Architecture, network: torch.nn.Module) -> bundle.Published:
    folder.mkdir(exist_ok=True)
    weights = save({name: value.contiguous() for name, value in network.state_dict().items()})
    return bundle.publish(
        folder, architecture=architecture, weights=weights, preprocessing=PREPROCESSING, report=REPORT
    )


def _module(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bundled_model", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_model_that_comes_out_is_the_model_that_went_in(
    tmp_path: Path, architecture: Architecture, network: torch.nn.Module
) -> None:
    _publish(tmp_path / "job", architecture, network)
    folder = tmp_path / "job" / "bundle"
    module = _module(folder)
    loaded = module.load(str(folder / "weights.safetensors"))
    images = torch.arange(2 * 64, dtype=torch.uint8).reshape(2, 1, 8, 8)
    x = (images.float() - 4.0) / 2.0
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x), network(x))
        torch.testing.assert_close(module.predict(loaded, images), network(x).softmax(dim=1))
    assert list("0123456789") == module.LABELS
    assert Architecture.from_json(json.loads((folder / "architecture.json").read_text())) == architecture


def test_the_zip_is_the_folder_and_its_sums_fit(
    tmp_path: Path, architecture: Architecture, network: torch.nn.Module
) -> None:
    published = _publish(tmp_path / "job", architecture, network)
    data = published.path.read_bytes()
    assert (published.sha256, published.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    with zipfile.ZipFile(published.path) as archive:
        assert archive.namelist() == [
            *("README.md", "SHA256SUMS", "architecture.json", "architecture.svg", "model.py", "report.json"),
            "weights.safetensors",
        ]
        for name in archive.namelist():
            assert archive.read(name) == (tmp_path / "job" / "bundle" / name).read_bytes()
        for line in archive.read("SHA256SUMS").decode().splitlines():
            digest, name = line.split("  ")
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest


def test_publishing_again_gives_the_same_bytes(
    tmp_path: Path, architecture: Architecture, network: torch.nn.Module
) -> None:
    first = _publish(tmp_path / "job", architecture, network)
    (tmp_path / "job" / "bundle.part").mkdir()  # what a driver that was killed in the middle leaves
    (tmp_path / "job" / "bundle.part" / "half").touch()
    assert _publish(tmp_path / "job", architecture, network) == first
    assert sorted(p.name for p in (tmp_path / "job").iterdir()) == ["bundle", "bundle.zip"]


# --- every kind of data


GRAPH_CODE = '''"""A network."""

import math

import torch.nn.functional as F
from torch import Tensor, nn


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, {arguments}) -> Tensor:
        x = F.relu(self.layer(x.index_add(0, edges[1], x[edges[0]]))) * math.sqrt(1)
        {give}


def build() -> Model:
    """The model with fresh weights."""
    return Model()
'''
GRAPHS = {
    "nodes": ("x: Tensor, edges: Tensor", "return x"),
    "graphs": (
        "x: Tensor, edges: Tensor, graph: Tensor",
        "return x.new_zeros(int(graph.max()) + 1, 2).index_add(0, graph, x)",
    ),
    "links": ("x: Tensor, edges: Tensor, pairs: Tensor", "return x[pairs[0]] * x[pairs[1]]"),
}
X = torch.tensor([[1, 1, 0], [0, 1, 0], [1, 1, 1], [0, 0, 0], [0, 0, 1]], dtype=torch.uint8)
EDGES = torch.tensor([[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]])


def _graph_model(folder: Path, data: str, preprocessing: bundle.Preprocessing) -> ModuleType:
    """model.py and architecture.json of a hand-written network, with the weights of a fresh one."""
    arguments, give = GRAPHS[data]
    stand_in: Any = SimpleNamespace(data=data, input_shape=(3,), classes=2)
    code = GRAPH_CODE.format(arguments=arguments, give=give)
    (folder / "model.py").write_text(bundle.with_loader(code, stand_in, preprocessing))
    (folder / "architecture.json").write_text(json.dumps({"data": data, "input_shape": [3], "classes": 2}))
    module = _module(folder)
    torch.manual_seed(0)
    weights = save(module.build().state_dict())
    (folder / "weights.safetensors").write_bytes(weights)
    return module


def _words(mean: tuple[float, ...], std: tuple[float, ...]) -> bundle.Preprocessing:
    return bundle.Preprocessing(mean=mean, std=std, dtype="uint8", labels=("no", "yes"))


@pytest.mark.parametrize("mean", [(0.0, 0.0, 0.0), (0.5, 0.0, 2.0)])
def test_predict_on_graphs_prepares_the_features_as_the_trainer_does(tmp_path: Path, mean: tuple[float, ...]) -> None:
    preprocessing = _words(mean, (1.0, 1.0, 1.0))
    x = Features(mean, preprocessing.std)(X)
    for data in GRAPHS:
        module = _graph_model(tmp_path, data, preprocessing)
        net = module.load(str(tmp_path / "weights.safetensors"))
        pairs = torch.tensor([[0, 3], [2, 1]])
        with torch.inference_mode():
            if data == "nodes":
                expected, found = net(x, EDGES), module.predict(net, X, EDGES)
            elif data == "links":
                expected, found = net(x, EDGES, pairs), module.predict(net, X, EDGES, pairs)
            else:
                expected = net(x, EDGES, torch.tensor([0, 0, 0, 1, 1]))
                found = module.predict(net, [(X[:3], EDGES[:, :4]), (X[3:], EDGES[:, 4:] - 3)])
        torch.testing.assert_close(found, expected.softmax(1))
        assert module.LABELS == ["no", "yes"]
        assert hasattr(module, "MEAN") == any(mean)


@pytest.mark.parametrize("data", list(GRAPHS))
def test_a_bundle_of_graphs_is_opened_by_a_small_graph(tmp_path: Path, data: str) -> None:
    net = _graph_model(tmp_path, data, _words((), ())).build()
    inputs, rows = torch_only.sample(json.loads((tmp_path / "architecture.json").read_text()))
    assert net(*inputs).shape == (rows, 2)


def test_a_model_with_graph_layers_opens_with_torch_geometric_beside_torch(tmp_path: Path) -> None:
    _graph_model(tmp_path, "nodes", _words((), ()))
    model = (tmp_path / "model.py").read_text()
    layer = "import torch\nfrom torch_geometric.nn import GCNConv\n"
    (tmp_path / "model.py").write_text(model.replace("import torch\n", layer, 1))
    assert torch_only.packages_of(tmp_path) == ("torch", "torch_geometric")
    opened = _open(tmp_path)
    assert (opened["parameters"], opened["input"], opened["output"]) == (8, [4, 3], [4, 2])


def test_a_model_that_needs_more_than_its_readme_says_does_not_open(tmp_path: Path) -> None:
    _graph_model(tmp_path, "nodes", _words((), ()))
    model = (tmp_path / "model.py").read_text()
    (tmp_path / "model.py").write_text(model.replace("import torch\n", "import torch\nimport safetensors\n", 1))
    with pytest.raises(subprocess.CalledProcessError):
        _open(tmp_path)


def _open(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-I", "-B", torch_only.__file__, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def test_imports_stand_in_order(tmp_path: Path) -> None:
    _graph_model(tmp_path, "nodes", _words((), ()))
    lines = (tmp_path / "model.py").read_text().splitlines()
    expected = ["import json", "import math", "", "import torch", "import torch.nn.functional as F"]
    assert lines[2:8] == [*expected, "from torch import Tensor, nn"]


@pytest.mark.parametrize("data", ["image", "volume", *GRAPHS])
def test_the_readme_speaks_of_its_kind_of_data(data: str, architecture: Architecture) -> None:
    shape = {"image": (1, 8, 8), "volume": (1, 4, 8, 8)}.get(data, (3,))
    stand_in: Any = SimpleNamespace(data=data, input_shape=shape, classes=2)
    code = "from torch_geometric.nn import GCNConv" if data == "nodes" else ""
    text = texts.readme(stand_in, _words((), ()), REPORT, code=code, params=7, macs=9)
    assert ("image" in text) == (data == "image")
    assert ("torch and torch_geometric" in text) == (data == "nodes")
    assert "| test balanced accuracy | 0.8500 |" in text
    assert {"graphs": "A classifier of graphs", "links": "A predictor of links"}.get(data, "classifier") in text
    assert "{" not in text
