"""Controllers by name, and the faults of wrong options."""

import inspect
import subprocess
import sys

import pytest

from archsmith.errors import InvalidInput
from search.controllers.reinforce import ReinforceController
from search.factory import CONTROLLERS, check_options, make_controller
from search.spec import ControllerSpec
from search.testing.toys import fork


@pytest.mark.parametrize("name", CONTROLLERS)
def test_the_options_listed_are_those_of_the_class_with_their_defaults(name: str) -> None:
    """A subclass without a signature of its own takes its parent's."""
    known = {"self", "space", "constraints", "seed", "objectives", "trials", "options"}
    taken: dict[str, object] = {}
    make = CONTROLLERS[name].load()
    if inspect.isclass(make):
        signed = [vars(base).get("__init__") for base in reversed(inspect.getmro(make))]
    else:
        signed = [make]
    for function in filter(inspect.isfunction, signed):
        parameters = inspect.signature(function).parameters.values()
        taken |= {p.name: p.default for p in parameters if p.name not in known and p.kind is p.KEYWORD_ONLY}
    listed = {option: kind.default for option, kind in CONTROLLERS[name].options.items()}
    assert listed == taken
    check_options(ControllerSpec(name=name, options=listed))


@pytest.mark.parametrize("name", CONTROLLERS)
def test_defaults_need_no_options(name: str) -> None:
    check_options(ControllerSpec(name=name))
    assert make_controller(ControllerSpec(name=name), space=fork(), seed=1).ask(0).number == 0


@pytest.mark.parametrize(
    ("name", "options", "pointer", "rule", "detail"),
    [
        ("tpee", {}, "/name", "choice_unknown", "'tpee' is no controller; did you mean 'tpe'?"),
        ("genetic", {}, "/name", "choice_unknown", "'genetic' is no controller; there are "),
        ("reinforce", {"entrpy": 0.1}, "/entrpy", "unknown_field", "did you mean 'entropy'?"),
        ("random", {"a/b~c": 1}, "/a~1b~0c", "unknown_field", "there are none"),
        ("reinforce", {"entropy": -0.1}, "/entropy", "out_of_range", "must be a number from 0 to 1, got -0.1"),
        ("reinforce", {"entropy": float("nan")}, "/entropy", "out_of_range", "got nan"),
        ("reinforce", {"entropy": 10**400}, "/entropy", "out_of_range", "must be a number from 0 to 1, got 1000"),
        ("reinforce", {"entropy": "0.1"}, "/entropy", "wrong_type", "got '0.1'"),
        ("reinforce", {"baseline": True}, "/baseline", "wrong_type", "got True"),
        ("reinforce", {"learning_rate": 0}, "/learning_rate", "out_of_range", "above 0 and up to 10"),
        ("reinforce", {"advantage": "rank"}, "/advantage", "choice_unknown", "one of ema, quantile"),
        ("reinforce", {"advantage": ["ema"]}, "/advantage", "choice_unknown", "one of ema, quantile"),
        ("reinforce", {"warm": "zero_cost"}, "/warm", "choice_unknown", "one of params, none"),
        ("predictor", {"warm": "synflow"}, "/warm", "choice_unknown", "one of params, none, zero_cost"),
        ("auto", {"warm": "zero_cost"}, "/warm", "unknown_field", "there are none"),
        ("tpe", {"startup": 0}, "/startup", "out_of_range", "a whole number from 1 to 1000"),
        ("tpe", {"startup": 2.0}, "/startup", "wrong_type", "a whole number"),
        ("tpe", {"candidates": None}, "/candidates", "wrong_type", "got None"),
    ],
)
def test_a_wrong_option_is_named(name: str, options: dict[str, object], pointer: str, rule: str, detail: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_options(ControllerSpec(name=name, options=options))
    (fault,) = caught.value.faults
    assert (fault.pointer, fault.rule) == (pointer, rule)
    assert detail in fault.detail
    assert fault.allowed is not None


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        make_controller(ControllerSpec(name="tpe", options={"startup": 0, "seed": 3}), space=fork())
    assert [fault.pointer for fault in caught.value.faults] == ["/startup", "/seed"]


def test_options_reach_the_controller() -> None:
    spec = ControllerSpec(name="reinforce", options={"learning_rate": 2, "entropy": 0.0})
    controller = make_controller(spec, space=fork())
    assert isinstance(controller, ReinforceController)
    assert (controller.learning_rate, controller.entropy) == (2, 0.0)


@pytest.mark.heavy
def test_checking_loads_no_optimiser() -> None:
    code = "import sys, search.factory; sys.exit('optuna' in sys.modules or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
