"""Run a small search on the digits data set and download the result.

archsmith serve            # in another terminal
python examples/first_job.py
"""

from archsmith import Client

with Client() as client:  # http://127.0.0.1:8080, or ARCHSMITH_URL
    job = client.submit(
        dataset="digits",
        space="tiny",
        budget={"trials": 4, "epochs": 2},
        # One full training of one finalist. Leave `finalists` out to compare the winner with random search.
        finalists={"top": 1, "seeds": 1, "baseline": False, "random_arm": False, "fidelity": 0},
    )
    print("job", job.id)
    job = client.wait(job.id, on_update=lambda job: print(f"{job.progress.done} trials done, phase {job.phase}"))
    if job.state != "succeeded":
        raise SystemExit(f"the job {job.state}: {job.reason}")

    for trial in client.trials(job.id):
        print(f"trial {trial.number}: {trial.params} parameters, search score {trial.search_score}")
    print("final score", job.final_score)
    print("bundle", client.download_bundle(job.id, "digits.zip"))
