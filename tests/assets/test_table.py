"""The table: what it covers, that it repeats nothing that the models' specs say, and what users get wrong."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
import torch
from safetensors.torch import save_file

from bench import assets
from bench.assets import of_model
from bench.claims.ledger import ledger
from bench.claims.sources import UNPUBLISHED
from bench.errors import UsageError
from reference_models import specs
from reference_models.sizes.autoencoders import AUTOENCODERS

TABLE = assets.table()


def test_every_released_model_and_autoencoder_is_in_it_with_its_specs_licence():
    """One source: nobody writes a repository or a licence twice."""
    for name, spec in {**specs(), **AUTOENCODERS}.items():
        if spec.official:
            assert TABLE[name].licence == spec.official.licence
            assert spec.official.repository.startswith(TABLE[name].repository)
            assert TABLE[name].file in (spec.official.file, "")
        else:
            assert name not in TABLE


def test_every_kind_and_every_question_set_is_in_it():
    assert {asset.kind for asset in TABLE.values()} == set(assets.KINDS)
    data = {"imagenet-train", "imagenet-val", "coco-val2014", "coco-val2017", "geneval"}
    questions = {"vqa-v2", "okvqa", "vizwiz", "gqa", "pope", "mme"}
    others = {"d-dit-512-sft", "t5-xxl", "sd3-vae", "adm-imagenet-256", "adm-imagenet-512"}
    assert data | questions | others | {"inception", "inception-torchscript"} <= TABLE.keys()


@pytest.mark.parametrize("asset", TABLE.values(), ids=list(TABLE))
def test_a_row_is_complete(asset):
    """It says what it is for, whose terms it has, how one gets it; and its path is `<repository>/<file>`, inside."""
    assert asset.unlocks
    assert asset.licence
    assert asset.fetchable != bool(asset.get)
    assert asset.path == "/".join(filter(None, (asset.repository, asset.file)))
    for place in asset.places:
        assert not PurePosixPath(place).is_absolute()
        assert ".." not in PurePosixPath(place).parts
    assert set(asset.needs) <= TABLE.keys()


def test_two_assets_share_a_path_only_where_they_are_one_file():
    """VAR's tokenizer has two sets of scales; COCO's years and SD3's parts share a folder."""
    single = [asset for asset in TABLE.values() if not asset.parts]
    by_path = {}
    for asset in single:
        by_path.setdefault(asset.path, []).append(asset.name)
    assert [names for names in by_path.values() if len(names) > 1] == [["var-vq", "var-vq-512"]]


def test_addresses_are_those_of_the_libraries_that_read_the_files():
    from cleanfid.downloads_helper import inception_url
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    assert TABLE["inception"].downloads[0].url == URL_INCEPTION_V3
    assert TABLE["inception-torchscript"].downloads[0].url == inception_url


def test_mme_s_first_subtasks_are_those_of_its_evaluator():
    from bench.datasets.mme import SUBTASKS

    assert tuple(part.names[0] for part in TABLE["mme"].parts) == SUBTASKS[:4]


def test_a_model_brings_its_autoencoder():
    """A released D-DiT folder holds its own; nobody publishes weights of dit-s-8."""
    assert [asset.name for asset in assets.of_model("transdiff-mrar-h")] == ["transdiff-mrar-h", "kl-16"]
    assert [asset.name for asset in assets.of_model("var-d36")] == ["var-d36", "var-vq-512"]
    assert [asset.name for asset in assets.of_model("d-dit-512")] == ["d-dit-512"]
    assert assets.of_model("dit-s-8") == assets.of_model("kl-16") == ()


def test_find_knows_names_and_the_files_that_no_other_asset_has():
    """A protocol names its reference by its file."""
    assert assets.find("VIRTUAL_imagenet256_labeled.npz").name == "adm-imagenet-256"
    with pytest.raises(UsageError, match=r"unknown asset 'transdiff-x'; did you mean transdiff-.* known: transdiff"):
        assets.find("transdiff-x")
    with pytest.raises(UsageError, match=r"unknown asset 'checkpoint-last.pth'"):
        assets.find("checkpoint-last.pth")


def test_no_asset_has_the_weights_that_claims_say_nobody_has_published():
    """And every other model of a ledger claim that needs weights has them."""
    assert not [name for name in UNPUBLISHED if of_model(name)]
    of_weights = {
        claim.paper_scale.subject
        for claim in ledger()
        if claim.paper_scale and any(need.startswith("weights of") for need in claim.paper_scale.needs)
    }
    assert {name for name in of_weights - set(UNPUBLISHED) if not of_model(name)} == set()


def test_a_file_whose_checksum_is_known_is_told_from_another(tmp_path, monkeypatch):
    """Of the size that many name for ft-MSE's decoder and another content: whole, usable, and not as published."""
    monkeypatch.setenv("ARBITER_ASSETS", str(tmp_path))
    monkeypatch.setenv("ARBITER_CACHE", str(tmp_path / "cache"))
    asset = assets.find("sd-vae-ft-mse")
    assert (asset.size, len(asset.sha256)) == (334_643_276, 64)
    path = tmp_path / asset.path
    path.parent.mkdir(parents=True)
    save_file({"a": torch.zeros(2)}, path)
    found = assets.locate(asset)
    assert (found.state, found.usable) == ("not as published", True)
    assert found.complaint == f"sd-vae-ft-mse is not as published: {path}, {path.stat().st_size} bytes, expected " + (
        "334,643,276 bytes (published: 334,643,276 bytes)"
    )
