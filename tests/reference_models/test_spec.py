"""What a model is, apart from its network: rows that import no torch, and the networks that they name."""

from __future__ import annotations

import functools
import inspect
import sys

import pytest
import torch

import reference_models
from reference_models.errors import UnknownModelError
from reference_models.sizes import mar, transdiff, transdiff_mrar
from reference_models.spec import Network

SPECS = reference_models.specs()
OWN_MODEL = """
import torch
from reference_models.image_model import ImageModel
from reference_models.spec import Network, Spec

class Grey(ImageModel):
    num_classes = 10

    def __init__(self, *, level):
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(level))

    def sample(self, labels, noise):
        return self.level.expand(len(labels), 4, 4, 4)

SPECS = (
    Spec("grey", "grey", Network("own_models:Grey"), {"level": 1.0}, {}, "patch-2x2", "digits", 8, "nowhere"),
)
"""


def test_a_model_of_ones_own_is_one_file_and_one_line(tmp_path, monkeypatch):
    (tmp_path / "own_models.py").write_text(OWN_MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(reference_models.MODELS, "grey", "own_models")
    monkeypatch.setattr(reference_models, "specs", functools.cache(reference_models.specs.__wrapped__))
    try:
        model = reference_models.build("grey", weights=None)
        assert torch.equal(model.generate([3], [0]), torch.full((1, 3, 8, 8), 255, dtype=torch.uint8))
        assert [*reference_models.specs()] == [*SPECS, "grey"]
    finally:
        sys.modules.pop("own_models", None)


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("reference_models.sit:SIT", "no such class; reference_models.sit has SiT"),
        ("reference_models.sit", "no such class; reference_models.sit has SiT"),
        ("reference_models.sitt:SiT", "no module reference_models.sitt; expected a place as 'my_models:Mine'"),
        ("no_such_package.sit:SiT", "no module no_such_package.sit; expected a place as 'my_models:Mine'"),
    ],
)
def test_a_network_that_is_not_there_is_one_line(place, why):
    with pytest.raises(UnknownModelError) as raised:
        Network(place)()
    assert str(raised.value) == f"no network {place!r}: {why}"


def test_what_a_networks_file_itself_lacks_is_named_by_its_own_error(tmp_path, monkeypatch):
    (tmp_path / "lacking.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        Network("lacking:Mine").load()


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.network.reading is not None])
def test_the_settings_of_reading_are_those_that_say_has_by_itself(name):
    network = SPECS[name].network
    parameters = inspect.signature(network.load().say).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    assert network.reading == {key: value for key, value in defaults.items() if value is not None}


@pytest.mark.parametrize("name", SPECS)
def test_what_a_row_tells_of_its_network_is_so(name):
    """What `generate` takes first, whether it says texts, whether it can count evaluations that no one knows before."""
    network = SPECS[name].network
    found = network.load()
    assert (network.reading is not None) == hasattr(found, "say")
    if SPECS[name].sampling:
        assert [*inspect.signature(found.generate).parameters][1] == network.conditioned_on
    counts = found.counted_evaluations is not reference_models.image_model.ImageModel.counted_evaluations
    assert counts == bool(network.adaptive_samplers)


@pytest.mark.parametrize(
    "spec",
    [spec for spec in (*transdiff.SPECS, *transdiff_mrar.SPECS, *mar.SPECS) if spec.num_params],
    ids=lambda spec: spec.name,
)
def test_a_size_is_what_the_authors_name_of_it_stands_for(spec):
    names = {**mar.OFFICIAL_SIZES, **transdiff.OFFICIAL_SIZES}
    family = spec.family.split("-")[0]
    official = next(name for name in names if name.startswith(f"{family}_{spec.name.removesuffix('-512')[-1]}"))
    config = {"model": official, "img_size": spec.image_size}
    if family == "mar":
        config |= {"diffloss_w": spec.config["denoiser_size"], "diffloss_d": spec.config["denoiser_depth"]}
    assert spec.network.load().from_official_config(config) == spec.config
