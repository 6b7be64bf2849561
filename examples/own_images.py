"""Search on your own images: a folder with one subfolder of images per class.

photos/
  cat/1.jpg, cat/2.jpg, ...
  dog/1.jpg, ...

python examples/own_images.py photos pets
"""

import shutil
import sys
import tempfile
from pathlib import Path

from archsmith import Client

folder, name = sys.argv[1:]

with Client() as client, tempfile.TemporaryDirectory() as scratch:
    archive = shutil.make_archive(str(Path(scratch) / name), "zip", folder)
    dataset = client.upload_dataset(name, "images", [archive], image_size=32)
    print(f"data set {dataset.name}: {dataset.classes} classes, images of {dataset.input_shape}")

    job = client.submit(
        dataset=name,
        space="tiny",
        budget={"trials": 3, "epochs": 2},
        finalists={"top": 1, "seeds": 1, "baseline": False, "random_arm": False, "fidelity": 0},
    )
    job = client.wait(job.id)
    if job.state != "succeeded":
        raise SystemExit(f"the job {job.state}: {job.reason}")
    print("final score", job.final_score)
    print("bundle", client.download_bundle(job.id, f"{name}.zip"))
