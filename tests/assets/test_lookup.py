"""What is said of files in every state that a user's folder may have them in."""

from __future__ import annotations

import dataclasses
import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bench import assets
from bench.assets import checksums, wholeness
from bench.assets.data import MME_FIRST
from bench.errors import CheckFailed, UsageError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An assets folder and a cache of their own; no torch.hub."""
    monkeypatch.setenv("ARBITER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("ARBITER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "assets"


def put(path, content=b"content"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def checkpoint(path, value=0.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": {"weight": torch.full((64, 64), value)}}, path)
    return path


def state(name, **options):
    return assets.locate(assets.find(name), **options).state


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_missing_file_names_the_exact_path_and_the_command(folder):
    path = folder / "huggingface.co/zhendch/Transdiff/transdiff_h/checkpoint-last.pth"
    with pytest.raises(UsageError) as error:
        assets.require("transdiff-h")
    remedy = "get it with: python -m bench fetch transdiff-h (licence: MIT)"
    assert str(error.value) == f"transdiff-h is missing: {path}; {remedy}"


@pytest.mark.parametrize("top", ["huggingface.co/zhendch/Transdiff", "zhendch/Transdiff", "Transdiff"])
def test_a_copy_of_the_published_tree_works_with_and_without_its_host(folder, top):
    path = checkpoint(folder / top / "transdiff_b/checkpoint-last.pth")
    assert assets.require("transdiff-b") == path


def test_files_lie_where_the_authors_download_scripts_put_them(folder):
    mar = checkpoint(folder / "mar/pretrained_models/mar/mar_base/checkpoint-last.pth")
    assert assets.require("mar-b") == mar
    autoencoder = checkpoint(folder / "mar/pretrained_models/vae/kl16.ckpt")
    assert assets.require("kl-16") == autoencoder
    hub = checkpoint(folder.parent / "torch/hub/checkpoints/weights-inception-2015-12-05-6726825d.pth")
    assert assets.require("inception") == hub


def test_a_truncated_checkpoint_is_seen_without_a_known_size(folder):
    """A zip archive has its directory at its end."""
    path = checkpoint(folder / "FoundationVision/var/var_d16.pth")
    whole = path.read_bytes()
    assert state("var-d16") == "there"
    path.write_bytes(whole[:-1000])
    with pytest.raises(UsageError, match=rf"var-d16 is truncated: {path}, {len(whole) - 1000:,} bytes .*directory"):
        assets.require("var-d16")


def test_a_truncated_safetensors_file_is_seen_without_a_known_size(folder):
    path = folder / "stabilityai/sd-vae-ft-ema/diffusion_pytorch_model.safetensors"
    path.parent.mkdir(parents=True)
    save_file({"weight": torch.zeros(1000)}, path)
    whole = path.read_bytes()
    assert state("sd-vae") == "there"
    for length in (len(whole) - 1, 20, 3):
        path.write_bytes(whole[:length])
        assert state("sd-vae") == "truncated"
    path.write_bytes(whole[:-1])
    assert f"{len(whole) - 1:,} bytes (its header promises {len(whole):,} bytes)" in error_of("sd-vae")


def error_of(name):
    with pytest.raises(UsageError) as error:
        assets.require(name)
    return str(error.value)


def test_formats_that_say_nothing_are_told_by_the_published_size(folder):
    """Pickles of torch before 1.6 have no directory."""
    path = put(folder / "SiT/SiT-XL-2-256x256.pt", b"\x80\x02" + bytes(98))
    assert wholeness.why_cut_off(path) is None
    asset = dataclasses.replace(assets.find("sit-xl-2"), size=200)
    found = assets.locate(asset)
    assert (found.state, found.usable) == ("truncated", False)
    assert f"{path}, 100 bytes, expected 200 bytes" in found.complaint
    assert assets.locate(dataclasses.replace(asset, size=100)).state == "there"


def test_an_empty_file_is_truncated_and_a_folder_is_no_file(folder):
    put(folder / "c2i_B_256.pt", b"")
    assert state("llamagen-b") == "truncated"
    (folder / "c2i_L_256.pt").mkdir()
    assert "expected a file" in error_of("llamagen-l")


def test_another_content_than_published_is_usable_and_said(folder):
    """A stand-in, or weights of one's own: whole, and no record can take them for the published ones."""
    path = checkpoint(folder / "weights-inception-2015-12-05-6726825d.pth")
    assert state("inception") == "there"  # its content was not read
    found = assets.locate(assets.find("inception"), read=True)
    assert (found.state, found.usable) == ("not as published", True)
    assert "published sha256 6726825d..., found" in found.complaint
    assert assets.require("inception") == path


# -- checksums ---------------------------------------------------------------------------------------------------------


def test_a_file_is_read_once(folder, monkeypatch):
    """The second call, in this or another process, reads nothing; a file with another time is read again."""
    path = checkpoint(folder / "var/var_d20.pth")
    reads = []
    digest = checksums.digest
    monkeypatch.setattr(checksums, "digest", lambda file: reads.append(file) or digest(file))
    first = assets.checksum(assets.find("var-d20"))
    assert reads == [path]
    assert assets.checksum(assets.find("var-d20")) == first == digest(path)
    assert assets.locate(assets.find("var-d20")).sha256 == first
    assert reads == [path]
    path.touch()
    assert assets.locate(assets.find("var-d20")).sha256 is None
    assert assets.checksum(assets.find("var-d20")) == first
    assert reads == [path, path]


def test_a_change_since_the_first_use_is_an_error_that_says_so(folder):
    """Where authors publish no checksum, this alone keeps two numbers of one name apart."""
    path = checkpoint(folder / "var/var_d24.pth", value=0.0)
    before = assets.checksum(assets.find("var-d24"))
    checkpoint(path, value=1.0)
    assert state("var-d24") == "there"  # same size, not read yet
    with pytest.raises(CheckFailed, match=rf"changed: {path}.*sha256 {before[:16]} when it was first used here, on 20"):
        assets.checksum(assets.find("var-d24"))
    assert "python -m bench fetch var-d24 --accept" in error_of("var-d24")
    after = assets.accept(assets.find("var-d24")).sha256
    assert after != before
    assert assets.checksum(assets.find("var-d24")) == after


def test_another_size_is_a_change_that_needs_no_reading(folder, monkeypatch):
    path = checkpoint(folder / "var/var_d30.pth")
    assets.checksum(assets.find("var-d30"))
    size = path.stat().st_size
    torch.save({"model": torch.zeros(7)}, path)
    monkeypatch.setattr(checksums, "digest", None)
    assert state("var-d30") == "changed"
    assert f"{path}, {path.stat().st_size:,} bytes ({size:,} bytes when it was first used" in error_of("var-d30")


def test_many_may_read_one_file_at_once(folder):
    """Workers of one run ask for the same weights in the same second: all get the answer, and one entry stays."""
    checkpoint(folder / "var/var_d16.pth")
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(assets.checksum, [assets.find("var-d16")] * 40))
    assert len(found) == 1
    assert [path.suffix for path in (folder.parent / "cache/checksums").iterdir()] == [".json"]


def test_a_half_downloaded_file_is_missing_and_said(folder):
    put(folder / "huggingface.co/FoundationVision/var/var_d16.pth.partial", bytes(1234))
    assert "var-d16 is missing" in error_of("var-d16")
    assert "1,234 bytes are downloaded so far" in error_of("var-d16")


def test_a_cache_that_cannot_be_written_or_read_changes_no_answer(folder, monkeypatch, tmp_path):
    path = checkpoint(folder / "var/var_d36.pth")
    expected = checksums.digest(path)
    blocked = put(tmp_path / "blocked")
    monkeypatch.setenv("ARBITER_CACHE", str(blocked))
    assert assets.checksum(assets.find("var-d36")) == expected
    monkeypatch.setenv("ARBITER_CACHE", str(tmp_path / "cache"))
    assets.checksum(assets.find("var-d36"))
    (entry,) = (tmp_path / "cache/checksums").iterdir()
    for damaged in ("{half", "[]", "3", "[" * 100_000, '{"path": 1}'):
        entry.write_text(damaged)
        assert assets.checksum(assets.find("var-d36")) == expected


def test_a_changed_byte_in_the_cache_is_not_taken_for_a_checksum(folder):
    """Whatever byte of an entry it is: the file is read again, and what is known of it is right."""
    path = checkpoint(folder / "var/var_d36.pth")
    known = checksums.checksum(path)
    (entry,) = (folder.parent / "cache/checksums").iterdir()
    whole = entry.read_bytes()
    for place in range(0, len(whole), 7):
        entry.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found = checksums.checksum(path)
        assert (found.sha256, found.first_sha256) == (known.sha256, known.sha256), place


def test_an_entry_of_an_earlier_version_is_believed(folder):
    path = checkpoint(folder / "var/var_d36.pth")
    known = checksums.checksum(path)
    (entry,) = (folder.parent / "cache/checksums").iterdir()
    entry.write_text(json.dumps({key: value for key, value in json.loads(entry.read_text()).items() if key != "check"}))
    assert checksums.seen(path) == known


# -- folders -----------------------------------------------------------------------------------------------------------


def pipeline(folder):
    """A D-DiT folder in diffusers' layout; the text encoder in two shards."""
    for part in ("transformer", "vae"):
        (folder / part).mkdir(parents=True)
        save_file({"weight": torch.zeros(10)}, folder / part / "diffusion_pytorch_model.safetensors")
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = {"weight_map": {f"weight{i}": shard for i, shard in enumerate(shards)}}
    put(folder / "text_encoder/model.safetensors.index.json", json.dumps(index).encode())
    for shard in shards:
        save_file({"weight": torch.zeros(10)}, folder / "text_encoder" / shard)
    put(folder / "tokenizer/tokenizer_config.json", b"{}")
    return folder


def test_a_pipeline_is_there_with_all_its_parts_and_shards(folder):
    path = pipeline(folder / "JleeOfficial/dual_diff_sd3_512_base")
    found = assets.locate(assets.find("d-dit-512"))
    assert (found.state, found.path) == ("there", path)
    assert found.size == sum(file.stat().st_size for file in path.rglob("*.safetensors"))
    (path / "text_encoder/model-00002-of-00002.safetensors").unlink()
    assert "d-dit-512 is incomplete" in error_of("d-dit-512")
    assert "(lacks text_encoder)" in error_of("d-dit-512")


def test_a_truncated_shard_is_named(folder):
    path = pipeline(folder / "dual_diff_sd3_512_sft") / "text_encoder/model-00001-of-00002.safetensors"
    path.write_bytes(path.read_bytes()[:-3])
    assert f"d-dit-512-sft is truncated: {path}" in error_of("d-dit-512-sft")


def test_a_folder_s_checksum_knows_every_file(folder):
    path = pipeline(folder / "dual_diff_sd3_512_base")
    before = assets.checksum(assets.find("d-dit-512"))
    assert assets.checksum(assets.find("d-dit-512")) == before
    save_file({"weight": torch.ones(10)}, path / "vae/diffusion_pytorch_model.safetensors")
    with pytest.raises(CheckFailed, match=r"d-dit-512 is changed: .*vae/diffusion_pytorch_model"):
        assets.checksum(assets.find("d-dit-512"))
    assert assets.accept(assets.find("d-dit-512")).sha256 != before


def test_coco_is_recognised_by_what_its_evaluator_needs(folder):
    """The captions under annotations/ as unpacked, or beside the images; fewer images than published are counted."""
    put(folder / "coco/val2014/COCO_val2014_000000000042.jpg")
    assert "(lacks annotations/captions_val2014.json)" in error_of("coco-val2014")
    captions = put(folder / "coco/captions_val2014.json", b"{}")
    found = assets.locate(assets.find("coco-val2014"))
    assert (found.state, found.detail) == ("not as published", "val2014: 1 of 40,504 files")
    assert assets.parts("coco-val2014") == {
        "val2014": folder / "coco/val2014",
        "annotations/captions_val2014.json": captions,
    }
    assert "(lacks val2017, annotations/captions_val2017.json)" not in error_of("coco-val2017")
    assert "holds none of" in error_of("coco-val2017")


def test_imagenet_says_how_to_get_it_and_where_to_put_it(folder):
    complaint = error_of("imagenet-val")
    assert "register at image-net.org" in complaint
    licence = "licence: ImageNet's terms: non-commercial research and education"
    assert complaint.endswith(f"into {folder / 'imagenet/val'} ({licence})")
    put(folder / "imagenet/val/n01440764/ILSVRC2012_val_00000293.JPEG")
    assert assets.locate(assets.find("imagenet-val")).detail == "val: 1 of 1,000 classes"
    assert assets.require("imagenet-val") == folder / "imagenet/val"


def test_mme_is_the_folder_that_holds_its_subtasks(folder):
    inside = folder / "mme/MME_Benchmark_release_version/MME_Benchmark"
    for task in MME_FIRST:
        put(inside / task / "1.txt")
    assert assets.require("mme") == inside


def test_an_npz_is_told_whole_by_its_directory(folder):
    path = folder / "VIRTUAL_imagenet256_labeled.npz"
    folder.mkdir()
    np.savez(path, mu=np.zeros(4), sigma=np.eye(4))
    assert assets.require("VIRTUAL_imagenet256_labeled.npz") == path
    path.write_bytes(path.read_bytes()[:-50])
    assert "adm-imagenet-256 is truncated" in error_of("adm-imagenet-256")


def test_the_best_of_several_places_is_taken(folder):
    """A broken file in the first place hides no whole one in the second."""
    put(folder / "huggingface.co/FoundationVision/var/var_d16.pth", b"")
    whole = checkpoint(folder / "var_d16.pth")
    assert assets.require("var-d16") == whole


def test_without_the_variable_the_folder_is_in_the_user_s_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("ARBITER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert assets.assets_folder() == tmp_path / "arbiter" / "assets"


@pytest.mark.parametrize("variable", ["ARBITER_ASSETS", "HOME"])
def test_a_home_that_nobody_knows_is_one_line_that_says_what_to_set(monkeypatch, variable):
    """As of a user without a name in a container."""
    for name in ("ARBITER_ASSETS", "XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    if variable == "HOME":
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what it gives where it knows none
    else:
        monkeypatch.setenv(variable, "~nobody-here/assets")
    with pytest.raises(UsageError, match="no such home folder is known; set HOME, or ARBITER_ASSETS to a whole path"):
        assets.lookup.assets_folder()
