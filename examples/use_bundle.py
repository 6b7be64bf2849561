"""Classify with a downloaded bundle. This needs torch and nothing else: no archsmith, no service.

python examples/use_bundle.py digits.zip
"""

import json
import sys
import tempfile
import zipfile
from pathlib import Path

import torch

with tempfile.TemporaryDirectory() as folder:
    zipfile.ZipFile(sys.argv[1]).extractall(folder)
    sys.path.insert(0, folder)
    import model  # model.py of the bundle: run it only if you trust where the bundle comes from

    network = model.load(str(Path(folder) / "weights.safetensors"))
    shape = json.loads((Path(folder) / "bundle.json").read_text())["input_shape"]
    labels = json.loads((Path(folder) / "labels.json").read_text())

images = torch.zeros(1, *shape)  # replace with images in the data set's range, (N, C, H, W)
probabilities = model.predict(network, images)[0]
for label, probability in zip(labels, probabilities.tolist(), strict=True):
    print(f"{label}: {probability:.3f}")
