"""Whether a job can have the plan that it is given."""

from archsmith.errors import Fault
from search.spec import JobSpec


def plan_faults(spec: JobSpec) -> list[Fault]:
    """A plan decides how long trainings are; in a job that follows the clock it would be revised at once."""
    if spec.plan is None:
        return []
    if not spec.reproducible:
        return [_fault("/plan", "only a job with `reproducible: true` can be given its plan; leave it out", [None])]
    if not spec.budget.planned:
        detail = "budget.epochs says how long trainings are, and so does plan; leave one of them out"
        return [_fault("/plan", detail, [None])]
    found, planned = list[Fault](), spec.plan
    batch, trials = spec.trial.batch_size, spec.budget.trials
    if batch is not None and batch != planned["batch_size"]:
        detail = f"plan.batch_size is {planned['batch_size']}; leave this out, or give the same"
        found.append(_fault("/trial/batch_size", detail, [None, planned["batch_size"]]))
    if trials is not None and trials < planned["architectures"]:
        detail = f"plan.architectures is {planned['architectures']}; leave this out, or give as many at least"
        found.append(_fault("/budget/trials", detail, {"minimum": planned["architectures"]}))
    return found


def _fault(pointer: str, detail: str, allowed: object) -> Fault:
    return Fault(pointer=pointer, rule="combination_unsupported", detail=detail, allowed=allowed)
