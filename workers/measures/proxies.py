"""Zero-cost proxies, which guess from one batch how good a network will be: synflow, jacob_cov, nwot.

Each is a function of a module with fresh weights and of its inputs: features (B, C, H, W), (B, C, D, H, W) or (N, F),
then the indices of graph data (`space.kinds`). It leaves the module as it was, and returns the same number for the same
weights and batch. Larger is better. None where the value is undefined: an overflow, two samples that the network does
not distinguish, or data that the proxy does not apply to.

    synflow     images, volumes and graphs
    jacob_cov   images and volumes: it compares samples, and the nodes of a graph are not independent
    nwot        images and volumes, for the same reason

In single precision except for synflow, and the same on any device; nothing is drawn at random, dropout is off.
"""

import copy
import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

log = logging.getLogger(__name__)

NORMS = (_BatchNorm, _InstanceNorm, nn.GroupNorm, nn.LayerNorm)
ACTIVATIONS = (
    nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Hardswish, nn.Mish, nn.Tanh, nn.Sigmoid,
)  # fmt: skip
"""Modules of the element-wise non-linearities. Those inside an operation's own forward are not seen."""

RIDGE = 1e-5
"""Added to eigenvalues, as published."""

Proxy = Callable[[nn.Module, Sequence[Tensor]], float | None]


def synflow(module: nn.Module, inputs: Sequence[Tensor]) -> float | None:
    """Natural logarithm of the sum over all parameters w of |w| · dR/d|w|, R being the sum of the outputs.

    (Tanaka et al. 2020, Pruning neural networks without any data; as a proxy: Abdelfattah et al. 2021.) With every
    parameter replaced by its absolute value and an input of ones, R sums over all paths the product of their weights.
    As in the literature norms are left out: a fresh batch norm in evaluation mode is the identity anyway, and others
    would divide out what is summed. Activations are left out too: ReLU is the identity on the
    positive values that flow here, smooth ones approach it, tanh would end the flow. Sigmoids stay, they are gates.

    Of images and volumes only the shape is used, (1, C, H, W); graphs keep their nodes and edges. In double precision,
    since the sum of a deep network exceeds 1e38. `measured` has None for capsules, which need single precision.
    """
    x, *indices = inputs
    module = copy.deepcopy(module).double().eval()
    for part in module.modules():
        if isinstance(part, (*NORMS, *ACTIVATIONS)) and not isinstance(part, nn.Sigmoid):
            part.register_forward_hook(_left_out)
    parameters = [weight.requires_grad_() for weight in module.parameters()]
    for weight in parameters:
        weight.data.abs_()
    ones = torch.ones((len(x) if indices else 1, *x.shape[1:]), dtype=torch.float64, device=x.device)
    total = module(ones, *indices).sum()
    found = torch.autograd.grad(total, parameters, allow_unused=True, materialize_grads=True)
    flows = [(weight.detach() * grad).sum() for weight, grad in zip(parameters, found, strict=True)]
    return _finite(torch.stack(flows).sum().log())


def jacob_cov(module: nn.Module, inputs: Sequence[Tensor]) -> float | None:
    """How differently the network responds to the samples of a batch: minus the sum of log(v + k) + 1 / (v + k).

    (Mellor et al. 2021, Neural architecture search without training, first version; Abdelfattah et al. 2021.) J is
    (B, inputs): for each sample the gradient of the sum of the outputs by its input; v are the B eigenvalues of the
    correlations (B, B) of its rows, k = 1e-5. At most -B, for B uncorrelated gradients. Batch norms use the statistics
    of the batch, as published. inputs: x (B, C, H, W) or (B, C, D, H, W); None for graphs.
    """
    if len(inputs) > 1:
        return None
    x = inputs[0].detach().clone().requires_grad_()
    [jacobian] = torch.autograd.grad(_fresh(module)(x).sum(), x)
    correlations = torch.corrcoef(jacobian.flatten(1).double())
    if not correlations.isfinite().all():
        return None  # the outputs do not depend on some sample
    v = torch.linalg.eigvalsh(correlations).clamp_min(0.0) + RIDGE
    return _finite(-(v.log() + 1.0 / v).sum())


def nwot(module: nn.Module, inputs: Sequence[Tensor]) -> float | None:
    """log |det K|, K (B, B) counting the units, over all activations, that two samples agree in.

    (Mellor et al. 2021, Neural architecture search without training.) A unit says of a sample whether what goes into
    its activation is above 0: for ReLU and leaky ReLU the linear piece that the sample lies on. ELU, SiLU, GELU,
    hardswish, mish, tanh and sigmoid are taken for what they resemble, with their sign before the activation too:
    their two sides are the bent and the nearly linear one, or, for the last two, the halves. Batch norms use the
    statistics of the batch. inputs: x (B, C, H, W) or (B, C, D, H, W). None for graphs, where two samples have the
    same code, or where no activation is a module.
    """
    if len(inputs) > 1:
        return None
    kernels: list[Tensor] = []

    def count(_: nn.Module, given: tuple[Tensor]) -> None:
        code = (given[0] > 0).flatten(1).float()  # (B, units); counts are exact to 2^24
        kernels.append((code @ code.T + (1.0 - code) @ (1.0 - code).T).double())

    module = _fresh(module)
    for part in module.modules():
        if isinstance(part, ACTIVATIONS):
            part.register_forward_pre_hook(count)
    with torch.no_grad():
        module(inputs[0])
    if not kernels:
        return None
    return _finite(torch.linalg.slogdet(torch.stack(kernels).sum(0)).logabsdet)


PROXIES: dict[str, Proxy] = {"synflow": synflow, "jacob_cov": jacob_cov, "nwot": nwot}


def measured(module: nn.Module, inputs: Sequence[Tensor]) -> dict[str, float | None]:
    """All of PROXIES by name, see there for `inputs`. None also where torch raises: a guess must not end a job."""
    with torch.backends.cudnn.flags(deterministic=True, allow_tf32=False):
        return {name: _guarded(name, proxy, module, inputs) for name, proxy in PROXIES.items()}


def _guarded(name: str, proxy: Proxy, module: nn.Module, inputs: Sequence[Tensor]) -> float | None:
    try:
        return proxy(module, inputs)
    except (RuntimeError, ValueError, ArithmeticError, MemoryError) as error:
        log.info("proxy %s not available: %s", name, error)
        return None


def _left_out(_: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:  # noqa: ARG001  # a forward hook
    return inputs[0]


def _fresh(module: nn.Module) -> nn.Module:
    """A copy as at the start of a training, where batch norms have seen nothing but the batch; without dropout."""
    module = copy.deepcopy(module).eval()
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.train()
    return module


def _finite(value: Tensor) -> float | None:
    return float(value) if bool(value.isfinite()) else None
