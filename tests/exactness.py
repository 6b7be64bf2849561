"""What must hold of every architecture, whatever space it was drawn from; each check raises AssertionError."""

import json
from xml.etree import ElementTree as ET

import torch
from torch import nn
from torch.nn import functional as F

from space.analysis import analyse
from space.architecture import Architecture
from space.build import build
from space.codegen.writer import generate
from space.export import to_program
from space.picture.drawing import draw
from tests.oracle import batch_of, hooked_shapes, load_generated, network_macs, onnx_logits, onnx_session


def check_costs(architecture: Architecture, module: nn.Module) -> None:
    """Shapes, parameters and MACs are those that torch counts."""
    costs = analyse(architecture)
    assert costs.params == sum(p.numel() for p in module.parameters() if p.requires_grad)
    assert costs.macs == network_macs(architecture, module)
    expected = {node.name: node.shape for node in costs.nodes}
    seen = hooked_shapes(architecture, module)
    assert seen
    assert {name: expected[name] for name in seen} == seen


def check_training_step(architecture: Architecture, module: nn.Module) -> None:
    """One step in training mode on two samples: a finite loss, finite weights, and some of them moved."""
    module.train()
    optimiser = torch.optim.SGD(module.parameters(), lr=0.01)
    before = [p.detach().clone() for p in module.parameters()]
    logits = module(*batch_of(architecture.data, architecture.input_shape))
    y = (torch.arange(len(logits)) % architecture.classes).view(-1, *[1] * (logits.ndim - 2))
    loss = F.cross_entropy(logits, y.expand(-1, *logits.shape[2:]))
    loss.backward()
    optimiser.step()
    assert loss.isfinite()
    assert all(p.isfinite().all() for p in module.parameters())
    assert any(not torch.equal(p, old) for p, old in zip(module.parameters(), before, strict=True))


def check_texts(architecture: Architecture) -> None:
    """JSON and back gives the same architecture with the same hash; the picture is XML."""
    text = json.dumps(architecture.to_json(), allow_nan=False)
    back = Architecture.from_json(json.loads(text))
    assert back == architecture
    assert back.hash == architecture.hash
    assert json.dumps(back.to_json(), allow_nan=False) == text
    ET.fromstring(draw(architecture))


def check_code(architecture: Architecture, module: nn.Module) -> None:
    """The generated file gives the same logits from the same weights."""
    written = load_generated(generate(architecture))
    written.load_state_dict(module.state_dict(), strict=True)
    inputs = batch_of(architecture.data, architecture.input_shape, 2, seed=1)
    with torch.no_grad():
        torch.testing.assert_close(written.eval()(*inputs), module.eval()(*inputs), rtol=1e-5, atol=1e-5)


def check_export(architecture: Architecture, module: nn.Module) -> None:
    """torch.export takes the network, for batches of the size that it is shown; three times as fast as an open one."""
    inputs = batch_of(architecture.data, architecture.input_shape, 2, seed=1)
    with torch.no_grad():
        program = torch.export.export(module.eval(), inputs, strict=False).module()
        torch.testing.assert_close(program(*inputs), module(*inputs), rtol=1e-4, atol=1e-4)


def check_program(architecture: Architecture, module: nn.Module) -> None:
    """The program of torch.export gives the same logits, for a batch of another size than it was made with."""
    program = to_program(architecture, module).module()
    inputs = batch_of(architecture.data, architecture.input_shape, 3, seed=1)
    with torch.no_grad():
        torch.testing.assert_close(program(*inputs), module.eval()(*inputs), rtol=1e-4, atol=1e-4)


def check_onnx(architecture: Architecture, module: nn.Module) -> None:
    """The ONNX model is valid, and ONNX Runtime gives the same logits for one sample and for three."""
    session = onnx_session(architecture, module.eval())
    for rows in (1, 3):
        inputs = batch_of(architecture.data, architecture.input_shape, rows, seed=rows)
        with torch.no_grad():
            torch.testing.assert_close(onnx_logits(session, inputs), module(*inputs), rtol=1e-4, atol=1e-4)


def fresh(architecture: Architecture, seed: int) -> nn.Module:
    """The network with weights of this seed."""
    torch.manual_seed(seed)
    return build(architecture)
