"""Search in your own space with constraints, which are part of its document (`custom_space.yaml`).

    python examples/custom_space.py

The same from the command line:

    archsmith submit --dataset digits --space examples/custom_space.yaml --trials 4 --watch
"""

from pathlib import Path

import yaml

from archsmith import Client

space = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))

with Client() as client:
    checked = client.validate_space(space, dataset="digits")
    print(f"{checked['size']} architectures, of which about {checked['feasible_share']:.0%} satisfy the constraints")

    job = client.submit(
        dataset="digits",
        space=space,
        budget={"trials": 4, "epochs": 2},
        finalists={"top": 1, "seeds": 1, "baseline": False, "random_arm": False, "fidelity": 0},
    )
    job = client.wait(job.id)
    if job.state != "succeeded":
        raise SystemExit(f"the job {job.state}: {job.reason}")
    winner = client.report(job.id)["winner"]
    print(f"winner: {winner['params']} parameters, decisions {winner['choices']}")
