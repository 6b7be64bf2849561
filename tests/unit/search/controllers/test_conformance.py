"""Each controller against the contract of all."""

from collections.abc import Iterator

import pytest

from search.spec import ControllerSpec
from tests.conformance.controllers import ControllerConformance
from tests.conformance.fresh import Fresh

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def fresh() -> Iterator[Fresh]:
    process = Fresh()
    yield process
    process.close()


class TestRandom(ControllerConformance):
    @pytest.fixture
    def spec(self) -> ControllerSpec:
        return ControllerSpec(name="random")


class TestTpe(ControllerConformance):
    @pytest.fixture
    def spec(self) -> ControllerSpec:
        return ControllerSpec(name="tpe")


class TestReinforce(ControllerConformance):
    @pytest.fixture
    def spec(self) -> ControllerSpec:
        return ControllerSpec(name="reinforce")


class TestEvolution(ControllerConformance):
    @pytest.fixture
    def spec(self) -> ControllerSpec:
        return ControllerSpec(name="evolution")


class TestGrid(ControllerConformance):
    @pytest.fixture
    def spec(self) -> ControllerSpec:
        return ControllerSpec(name="grid")


class TestLocalSearch(ControllerConformance):
    @pytest.fixture
    def spec(self) -> ControllerSpec:
        return ControllerSpec(name="local_search")


class TestPredictor(ControllerConformance):
    @pytest.fixture
    def spec(self) -> ControllerSpec:
        return ControllerSpec(name="predictor")


class TestPolicyModel(ControllerConformance):
    @pytest.fixture
    def spec(self) -> ControllerSpec:
        return ControllerSpec(name="policy_model", options={"samples": 20})  # fewer walks, for speed


class TestPpo(ControllerConformance):
    @pytest.fixture
    def spec(self) -> ControllerSpec:
        return ControllerSpec(name="ppo")


class TestNsga2(ControllerConformance):
    @pytest.fixture
    def spec(self) -> ControllerSpec:
        return ControllerSpec(name="nsga2")


@pytest.mark.slow  # an ask takes a fifth of a second
class TestGp(ControllerConformance):
    asks = 60

    @pytest.fixture
    def spec(self) -> ControllerSpec:
        return ControllerSpec(name="gp", options={"startup": 25, "history": 15})  # for speed


@pytest.mark.slow
class TestTpeGrouped(ControllerConformance):
    asks = 60

    @pytest.fixture
    def spec(self) -> ControllerSpec:
        return ControllerSpec(name="tpe", options={"branches": "grouped"})
