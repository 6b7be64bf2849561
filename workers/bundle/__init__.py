"""The product: a folder and a zip that anybody can use with torch alone (some graph layers: torch_geometric).

publish    what the files are, and how they are written as a whole or not at all
  ├── code           model.py: the network, its loader, `predict`
  ├── card           model_card.md, for people; requirements.txt
  ├── provisional    the same from before the end of a job, without what takes long
  ├── manifest       bundle.json, for programs: how inputs are prepared, which files must agree with which
  ├── example        inputs with the logits that every form of the model must give for them
  └── exports        model.onnx, model.pt2: made in a process of their own, best effort
opened     a bundle of unknown origin
  ├── predict        `archsmith predict`: answers for files (inputs), by model.onnx: no code of the bundle runs;
  │                  outputs has what the network's outputs mean, by problem
  └── verify         `archsmith verify`: sums, and the logits of all forms (torch_only runs model.py)
pyfunc     what MLflow loads a bundle with; copied beside it
"""

from workers.bundle.code import model_source
from workers.bundle.exports import Exports, ExportTask, export
from workers.bundle.manifest import Preprocessing, Provisional
from workers.bundle.provisional import publish_provisional
from workers.bundle.publish import Published, publish, with_card, write

__all__ = [
    "ExportTask",
    "Exports",
    "Preprocessing",
    "Provisional",
    "Published",
    "export",
    "model_source",
    "publish",
    "publish_provisional",
    "with_card",
    "write",
]
