"""Starting from an earlier winner's weights: equal ones are copied, wider ones compute the same, others are fresh."""

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from archsmith.errors import JobFailure
from search.earlier_jobs.donors import transfer_faults
from search.earlier_jobs.prior import Earlier
from space.architecture import Architecture, GraphBuilder
from space.build import build
from tests import factories
from workers.weights.inherit import Donor, inherit, read_donor


def network(
    first: int,
    second: int,
    *,
    kernel: int = 3,
    classes: int = 4,
    hidden: int = 6,
    shape: tuple[int, ...] = (2, 8, 8),
) -> Architecture:
    """With what widening must get right: a sum, a concatenation, a depthwise convolution, a flatten."""
    g, conv = GraphBuilder(shape, classes), f"conv{len(shape) - 1}d"
    x = g.add("stem.conv", conv, {"out": first, "kernel": kernel}, g.input)
    x = g.add("stem.norm", "batch_norm", {}, x)
    x = g.add("stem.act", "activation", {"kind": "relu"}, x)
    y = g.add("body.deep", conv, {"out": first, "kernel": 3, "groups": first}, x)
    y = g.add("body.mix", conv, {"out": first, "kernel": 1}, y)
    x = g.add("body.sum", "add", {}, x, y)
    y = g.add("side.conv", conv, {"out": second, "kernel": 3}, x)
    x = g.add("join", "concat", {}, x, y)
    x = g.add("flat", "flatten", {}, g.add("pool", "maxpool", {"kernel": 4, "stride": 4}, x))
    x = g.add("head.hidden", "linear", {"out": hidden}, x)
    return g.finish(g.add("head.out", "linear", {"out": classes}, x))


@pytest.fixture(scope="module")
def donor() -> tuple[Donor, torch.nn.Module]:
    torch.manual_seed(0)
    architecture = network(3, 5)
    module = build(architecture)
    module(torch.randn(16, 2, 8, 8))  # the statistics of the batch norm are no longer those of a fresh one
    module.eval()
    return Donor(job="j", architecture=architecture.to_json(), weights=save(dict(module.state_dict()))), module


@pytest.mark.parametrize("widths", [(3, 5, 6), (4, 5, 6), (7, 5, 6), (3, 9, 6), (8, 12, 20)])
def test_a_wider_network_computes_what_the_old_one_did(
    donor: tuple[Donor, torch.nn.Module], widths: tuple[int, int, int]
) -> None:
    first, second, hidden = widths
    architecture = network(first, second, hidden=hidden)
    module = build(architecture)
    taken = inherit(module, architecture, donor[0], noise=0)
    assert taken.fresh == 0
    assert (taken.widened == 0) == (widths == (3, 5, 6))
    x = torch.randn(8, 2, 8, 8)
    torch.testing.assert_close(module.eval()(x), donor[1](x), rtol=1e-4, atol=1e-5)


def test_a_wider_network_of_series_computes_what_the_old_one_did() -> None:
    torch.manual_seed(0)
    old = network(3, 5, shape=(2, 24))
    module = build(old).eval()
    wider = network(7, 9, hidden=8, shape=(2, 24))
    found = build(wider).eval()
    taken = inherit(
        found, wider, Donor(job="j", architecture=old.to_json(), weights=save(dict(module.state_dict()))), noise=0
    )
    assert taken.fresh == 0
    x = torch.randn(8, 2, 24)
    torch.testing.assert_close(found(x), module(x), rtol=1e-4, atol=1e-5)


def test_copies_get_noise_and_old_channels_stay(donor: tuple[Donor, torch.nn.Module]) -> None:
    architecture = network(5, 5)
    module = build(architecture)
    inherit(module, architecture, donor[0])
    weight, old = module.get_parameter("stem.conv.weight").detach(), donor[1].get_parameter("stem.conv.weight")
    assert torch.equal(weight[:3], old)
    assert not torch.equal(weight[3], old[0])
    torch.testing.assert_close(weight[3], old[0], rtol=0, atol=float(0.1 * old.detach().std()))


def test_weights_that_do_not_fit_are_drawn_anew(donor: tuple[Donor, torch.nn.Module]) -> None:
    for changes, fresh in (
        ({"kernel": 5}, ["stem.conv.weight"]),
        ({"classes": 9}, ["head.out.weight", "head.out.bias"]),
        ({"hidden": 4}, ["head.hidden.weight", "head.hidden.bias", "head.out.weight"]),
    ):
        sizes: dict[str, Any] = changes
        architecture = network(3, 5, **sizes)
        module = build(architecture)
        taken = inherit(module, architecture, donor[0])
        assert taken.fresh == sum(module.state_dict()[name].numel() for name in fresh)
        shares = taken.to_json()
        assert sum(shares.values()) == pytest.approx(1)


def test_a_donor_is_read_from_its_bundle(tmp_path: Path) -> None:
    with pytest.raises(JobFailure, match="no bundle"):
        read_donor(tmp_path, "j")
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("architecture.json", '{"nodes": []}')
        archive.writestr("weights.safetensors", b"w")
    assert read_donor(tmp_path, "j") == Donor(job="j", architecture={"nodes": []}, weights=b"w")


def test_a_job_on_other_data_is_refused_as_donor() -> None:
    trial: Any = type("Row", (), {"architecture": {"data": "volume"}})()
    spec = factories.job_spec(init_from="j")
    earlier = Earlier(spec=factories.job_spec(), ended=True, trials=[trial], succeeded=True)
    [fault] = transfer_faults(spec, "image", lambda _: earlier)
    assert (fault.pointer, fault.rule) == ("/init_from", "data_mismatch")
    assert transfer_faults(spec, "volume", lambda _: earlier) == []


def test_weights_that_have_seen_the_test_split_are_refused() -> None:
    """The seed draws the splits. Also where another data set's job stands between."""
    trial: Any = type("Row", (), {"architecture": {"data": "image"}})()
    made: dict[str, Any] = {"trials": [trial], "ended": True, "succeeded": True}
    first = Earlier(spec=factories.job_spec(dataset="digits", seed=1), **made)
    second = Earlier(spec=factories.job_spec(dataset="shirts", seed=7, init_from="first"), **made)
    find = {"first": first, "second": second}.get
    for job_id in ("first", "second"):
        spec = factories.job_spec(dataset="digits", seed=0, init_from=job_id)
        [fault] = transfer_faults(spec, "image", find)
        assert (fault.pointer, fault.rule) == ("/init_from", "splits_mismatch")
        assert fault.detail.endswith("use its seed, 1")
        assert transfer_faults(replace(spec, seed=1), "image", find) == []
