"""PyTorch as the judge of what `space/` computes."""

import ast
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn


def hooked_macs(module: nn.Module, shapes: Sequence[tuple[int, ...]]) -> int:
    """Multiply-accumulates of one sample, counted by hooks on convolutions and linear layers."""
    counted = 0

    def count(layer: nn.Module, _: Any, output: torch.Tensor) -> None:
        nonlocal counted
        assert isinstance(layer.weight, torch.Tensor)
        counted += output.numel() * layer.weight[0].numel()

    handles = [m.register_forward_hook(count) for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    training = module.training
    with torch.no_grad():
        module.eval()(*(torch.zeros(1, *shape) for shape in shapes))
    module.train(training)
    for handle in handles:
        handle.remove()
    return counted


def hooked_shapes(module: nn.Module, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Output shape of every leaf module by path, without the batch."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(path: str) -> Any:
        def hook(_: nn.Module, __: Any, output: torch.Tensor) -> None:
            shapes[path] = tuple(output.shape[1:])

        return hook

    leaves = [(path, m) for path, m in module.named_modules() if path and not list(m.children())]
    handles = [m.register_forward_hook(note(path)) for path, m in leaves]
    with torch.no_grad():
        module.eval()(torch.zeros(2, *shape))
    for handle in handles:
        handle.remove()
    return shapes


def support(
    module: nn.Module, shapes: Sequence[tuple[int, ...]], at: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last row, first and last column of the input pixels that move the output at `at`."""
    for parameter in module.parameters():
        nn.init.constant_(parameter, 1.0)
    channels, height, width = shapes[0]
    with torch.no_grad():
        pixels = torch.eye(height * width).reshape(-1, 1, height, width).expand(-1, channels, -1, -1)
        moved = module(*([pixels] * len(shapes)))[:, :, at[0], at[1]]
        still = module(*([torch.zeros(1, channels, height, width)] * len(shapes)))[:, :, at[0], at[1]]
    touched = (moved != still).any(dim=1).reshape(height, width)
    rows, columns = touched.any(dim=1).nonzero().flatten(), touched.any(dim=0).nonzero().flatten()
    return (int(rows[0]), int(rows[-1])), (int(columns[0]), int(columns[-1]))


def load_generated(text: str) -> nn.Module:
    """Run a generated file and build its model; it may import torch and nothing else."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert set(names) <= {"torch"}
    space: dict[str, Any] = {"__name__": "generated_model"}
    exec(compile(tree, "model.py", "exec"), space)
    model = space["build"]()
    assert isinstance(model, nn.Module)
    return model
