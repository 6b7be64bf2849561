"""`auto` is `policy_model` as it comes, which the conformance suite holds to the law of controllers."""

from search.controllers.policy_model import PolicyModelController
from search.factory import make_controller
from search.spec import ControllerSpec
from search.testing.toys import chain
from tests.conformance.controllers import onward


def test_it_asks_what_policy_model_asks() -> None:
    toy = chain(2)
    auto, plain = (make_controller(ControllerSpec(name=name), space=toy, seed=3) for name in ("auto", "policy_model"))
    assert isinstance(auto, PolicyModelController)
    assert onward(auto, toy, first=0, asks=14) == onward(plain, toy, first=0, asks=14)
