"""The authors' settings against the models' specs and the assets: what is stored twice must agree."""

from __future__ import annotations

import dataclasses

import pytest

from bench import assets
from bench.commands.score_record import Order, run_of
from bench.evaluators.images import labels_of
from bench.models import precision_of, released_assets, reseeding_of, resized_to
from bench.plan import make_plan
from bench.protocols import PROTOCOLS, SCALES, SMALL, kind_of
from bench.published import EQUAL_TERMS, PUBLISHED, Precision, Published, published
from bench.records.schema import REAL_DATA, RunSpec
from bench.sampling.identity import reseeded_seeds
from bench.sampling.precision import precision_name
from reference_models import find, specs
from reference_models.sizes.autoencoders import AUTOENCODERS
from reference_models.unfilled import empty

ROWS = list(PUBLISHED.values())
IDS = ["-".join(filter(None, key)) for key in PUBLISHED]
RELEASED = [name for name, spec in specs().items() if spec.official and spec.scale.startswith("imagenet")]
HEADLINES = [row for row in ROWS if not row.variant and row.model in specs()]
EQUAL = {scale: PROTOCOLS[f"{scale}-equal-quality"] for scale in EQUAL_TERMS}
DEFAULTS = {f.name: f.default for f in dataclasses.fields(Published) if f.default is not dataclasses.MISSING}


@pytest.mark.parametrize("name", RELEASED)
def test_every_released_imagenet_model_has_a_row_at_its_scale(name):
    row = published(name)
    assert row is not None
    assert row.scale == specs()[name].scale


@pytest.mark.parametrize("row", HEADLINES, ids=lambda row: row.model)
def test_the_headline_settings_are_those_that_the_model_samples_with(row):
    """All of the spec's settings, but those that its sampler does not use (SiT's tolerances under the SDE) and those
    that only this suite has."""
    spec = specs()[row.model]
    own = {"sit": {"rtol", "atol", "last_step"}, "dit": {"sampler", "spacing"}}.get(spec.family, set())
    assert dict(row.sampling) == {key: value for key, value in spec.sampling.items() if key not in own}


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_a_variant_uses_settings_that_the_model_has(row):
    if row.model in specs():
        assert row.sampling.keys() <= specs()[row.model].sampling.keys()


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_every_setting_names_its_source(row):
    """The number of images always; other fields at their default, and what is not known, need none."""
    fields = {f.name for f in dataclasses.fields(row)} - {"model", "scale", "sources", "notes", "disputed"}
    told = {name for name in fields if name not in DEFAULTS or getattr(row, name) != DEFAULTS[name]}
    told = {name for name in told if getattr(row, name) is not None} | {"num_images"}
    assert told <= row.sources.keys()
    assert all(row.sources.values())


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_a_disputed_setting_is_one_of_the_row_at_another_value(row):
    for other in row.disputed:
        assert other.source
        assert all(name in row.sampling and row.sampling[name] != value for name, value in other.settings.items())


@pytest.mark.parametrize("decoder", ["ft-mse", "original"])
def test_dit_is_measured_with_its_other_decoders(decoder, tmp_path):
    """The same weights and settings; of the autoencoder another file, which the record names by its checksum."""
    run = RunSpec("dit-xl-2", PROTOCOLS[f"imagenet-256-{decoder}-decoder-quality"])
    usual = RunSpec("dit-xl-2", PROTOCOLS["imagenet-256-quality"])
    weights, autoencoder = released_assets(run)
    assert (weights, autoencoder.name) == (released_assets(usual)[0], f"sd-vae-{decoder}")
    assert AUTOENCODERS[autoencoder.name].config == AUTOENCODERS["sd-vae"].config
    assert published("dit-xl-2", f"{decoder}-decoder").sampling == published("dit-xl-2").sampling
    plan = make_plan(scale="imagenet-256", only=("dit-xl-2",), quick=False, device="cuda", results=tmp_path)
    (planned,) = (each for each in plan.runs if each.spec.protocol == run.protocol)
    assert f"dit-xl-2-fid-decoders-{decoder}" in planned.answers
    assert any(autoencoder.path in lack for lack in planned.lacks)


def test_mrar_l_is_judged_at_its_readme_of_today_and_the_earlier_scales_are_told():
    row = published("transdiff-mrar-l")
    assert (row.sampling["scale_0"], row.sampling["scale_1"]) == (0.925, 0.95)
    assert {"scale_0": 0.91, "scale_1": 0.93} in [other.settings for other in row.disputed]


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_reference_is_an_asset_of_the_same_size(row):
    asset = assets.find(row.reference)
    if row.scale.startswith("imagenet"):
        assert asset.kind == "statistics"
        assert row.reference.endswith(row.scale.removeprefix("imagenet"))


def test_the_families_differ_as_their_scripts_do():
    """Facts that a reader can check in the named files."""
    by_labels = {row.model.split("-")[0]: row.labels for row in ROWS if row.scale.startswith("imagenet")}
    assert by_labels == {
        **dict.fromkeys(("transdiff", "mar", "var"), "balanced"),
        **dict.fromkeys(("dit", "sit", "llamagen"), "uniform"),
    }
    assert published("mar-h").precision == published("transdiff-h").precision == Precision(autocast="float16")
    assert published("dit-xl-2").precision == published("sit-xl-2").precision == Precision(tf32=True)
    assert published("llamagen-b").precision.weights == "bfloat16"
    assert published("var-d16").precision == Precision(autocast="float16", tf32=True)
    evaluators = {row.model.split("-")[0]: row.evaluator for row in ROWS if row.scale.startswith("imagenet")}
    assert [name for name, tool in evaluators.items() if tool == "torch-fidelity"] == ["transdiff", "mar"]


def test_transdiff_alone_reseeds_its_batches():
    """With 1,025 seeds for the batches of 8 GPUs repeats are the rule: 9 % of those of 256 images."""
    reseeded = {row.model: row.reseeding for row in ROWS if row.reseeding}
    assert {name.split("-")[0] for name in reseeded} == {"transdiff"}
    assert {one.num_seeds for one in reseeded.values()} == {1025}
    batches = 50_000 // published("transdiff-h").reseeding.batch_size + 1
    repeated = 1 - 1025 * (1 - (1 - 1 / 1025) ** batches) / batches  # expected share of batches with an earlier seed
    assert repeated == pytest.approx(0.09, abs=0.005)


def test_llamagen_s_best_numbers_are_of_384_pixels_resized_to_256():
    """Models of their own; where the weights of 256 px are not published (XL and up) they are all that can be had."""
    resized = {row.model: (row.generated_size, row.resize, row.scale) for row in ROWS if row.resize}
    assert list(resized) == [f"llamagen-{size}-384" for size in ("b", "l", "xl", "xxl", "3b")]
    assert set(resized.values()) == {(384, "bicubic", "imagenet-256")}


@pytest.mark.parametrize("scale", EQUAL_TERMS)
def test_equal_terms_are_one_rule_for_every_model_of_a_scale(scale):
    """Balanced labels need a multiple of the 1,000 classes; the precision is the one that parity is proven in."""
    terms = EQUAL_TERMS[scale]
    assert terms.num_images % 1000 == 0
    assert terms.precision == Precision()
    sizes = {resized_to(RunSpec(n, EQUAL[scale])) or s.image_size for n, s in specs().items() if s.scale == scale}
    assert sizes == {terms.image_size}
    assert assets.find(terms.reference).kind == "statistics"


@pytest.mark.parametrize("scale", EQUAL_TERMS)
def test_the_equal_protocol_measures_every_model_as_its_row_of_terms_says(scale, tmp_path):
    """All alike but for guidance, steps and schedule, which are as published."""
    plan = make_plan(scale=f"{scale}-equal", only=(), quick=False, device="cpu", results=tmp_path)
    runs = [run.spec for run in plan.runs if run.spec.protocol.collects == "images" and run.spec.model != REAL_DATA]
    assert {run.model for run in runs} >= {row.model for row in ROWS if row.scale == scale and row.model in specs()}
    terms = EQUAL_TERMS[scale]
    for run in runs:
        assert run.protocol == EQUAL[scale]
        assert (run.protocol.num_images, run.protocol.seed) == (terms.num_images, terms.seed)
        assert precision_of(run) == terms.precision
        assert labels_of(run) == terms.labels
        assert {**specs()[run.model].sampling, **run.settings}.items() >= dict(published_sampling(run.model)).items()
    assert not any(run.answers for run in plan.runs if run.spec.protocol == EQUAL[scale])


@pytest.mark.parametrize(
    "name", ["imagenet-256-quality", "imagenet-256-no-guidance-quality", "imagenet-256-equal-quality"]
)
def test_what_was_made_elsewhere_has_the_settings_that_a_plan_gives(name, tmp_path):
    """Those of the model's published row, on equal terms as well: guidance and steps are part of a method."""
    protocol = PROTOCOLS[name]
    plan = make_plan(scale=protocol.scale, only=(), quick=False, device="cpu", results=tmp_path)
    planned: dict[str, dict] = {}  # of the settings that claims name as well, the first are the published ones
    for run in (run.spec for run in plan.runs if run.spec.protocol == protocol):
        planned.setdefault(run.model, dict(run.settings))
    for model in sorted({"mar-l", "transdiff-l"} & planned.keys()):
        assert run_of(Order(model=model, protocol=name, records=tmp_path), "images").settings == planned[model]
    assert "mar-l" in planned


def published_sampling(name):
    row = published(name)
    return {} if row is None else row.sampling


def test_llamagen_s_decoder_runs_in_float32_beside_its_bfloat16_transformer():
    for name in ("llamagen-b", "llamagen-b-384"):
        run = RunSpec(name, PROTOCOLS["imagenet-256-quality"])
        assert precision_name(precision_of(run)) == "bfloat16, float32 decoder, TF32"
        assert resized_to(run) == (256 if name.endswith("384") else None)


def test_reseeded_batches_of_one_seed_share_their_noise_and_only_transdiff_has_them(tmp_path):
    """In the authors' order, class by class: images of one place in two batches of one seed have one seed."""
    plan = make_plan(scale="imagenet-256-reseeded", only=(), quick=False, device="cpu", results=tmp_path)
    runs = [run.spec for run in plan.runs if run.spec.protocol.collects == "images"]
    assert {run.model for run in runs} == {row.model for row in ROWS if row.reseeding and row.scale == "imagenet-256"}
    rule = dataclasses.replace(reseeding_of(runs[0]), num_seeds=3, batch_size=4)
    seeds = reseeded_seeds(range(40), 0, 40, 10, rule)
    by_place = {(i % 10) * 4 + i // 10: seed for i, seed in enumerate(seeds)}
    batches = {tuple(by_place[4 * batch + row] for row in range(4)) for batch in range(10)}
    assert 1 < len(batches) <= 3
    assert len({seed for batch in batches for seed in batch}) == 4 * len(batches)
    assert reseeding_of(RunSpec("transdiff-h", PROTOCOLS["imagenet-256-quality"])) is None


def test_what_is_planned_at_a_papers_size_is_a_setting_that_the_model_has(tmp_path):
    """Of each run that generates: names of its sampler's settings, and values that it takes. A setting that a claim
    names and no sampler has would end a run after its weights were loaded."""
    asked = {}
    for scale in (scale for scale in SCALES if scale not in SMALL):
        for run in make_plan(scale=scale, only=(), quick=False, device="cuda", results=tmp_path).runs:
            if run.spec.model != REAL_DATA and not kind_of(run.spec.protocol).reads:
                asked.setdefault(run.spec.model, {})[str(run.spec.settings)] = run.spec.settings
    assert len(asked) > 40
    for name, every in asked.items():
        network = empty(find(name), "meta")
        for settings in every.values():
            assert set(settings) <= set(find(name).sampling), (name, settings)
            whole = {**find(name).sampling, **settings}
            if not find(name).network.chooses_steps(**whole):
                assert network.network_evaluations(**whole), (name, settings)
