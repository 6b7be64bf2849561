"""The GPUs that torch can use on this machine."""

import torch


def gpus() -> list[str]:
    """Their names; [] where there are none, or where torch is a build without CUDA."""
    if not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
