"""D-DiT's released folders, small, under every protocol of its paper: plan, run, record, verdict.

Answers to the question sets, FID of images of COCO's captions, GenEval's two halves. The weights are random: that a
verdict is given at all is what is tested, with every step between.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import bench.run
from bench import assets
from bench.claims.ledger import ledger
from bench.commands.clean import leftovers
from bench.commands.outlook import outlook
from bench.errors import UsageError
from bench.evaluators.images import collect
from bench.evaluators.prompted import prompts_of
from bench.models import build_for
from bench.plan import make_plan
from bench.protocols import PROTOCOLS
from bench.records.schema import RunSpec
from bench.records.store import WORK, load_records
from bench.run import run_plan
from bench.verdict.judge import judge
from tests.command_line import write
from tests.official import use_pipeline, write_pipeline
from tests.stand_ins import (
    geneval_prompts,
    geneval_results,
    give_coco,
    give_geneval,
    give_gqa,
    give_inception,
    give_mme,
    give_okvqa,
    give_pope,
    give_vizwiz,
    use_assets,
)

pytestmark = pytest.mark.slow  # imports diffusers and transformers

NAME = "d-dit-512"
NUM_IMAGES = 20  # of COCO's captions
JUDGED = ("not reproduced", "inconclusive", "reproduced")
PROTOCOL_OF = {"geneval": "geneval-quality", "coco-images": "coco-images-quality"}
GIVE = {"okvqa": give_okvqa, "vizwiz": give_vizwiz, "gqa": give_gqa, "pope": give_pope, "mme": give_mme}
METRICS = {"okvqa": "vqa_accuracy", "vizwiz": "vqa_accuracy", "gqa": "gqa_accuracy", "pope": "pope_accuracy"}
METRICS |= {"mme": "mme_perception"}


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    """Both released folders, COCO and the question sets; the suite knows the model at that size."""
    root = tmp_path_factory.mktemp("laboratory")
    with pytest.MonkeyPatch.context() as patch:
        folder = use_assets(patch, root)
        for released in ("base", "sft"):
            place = folder / f"huggingface.co/JleeOfficial/dual_diff_sd3_512_{released}"
            place.mkdir(parents=True)
            write_pipeline(place)
        assets.table()
        use_pipeline(patch)
        give_coco(folder, NUM_IMAGES)
        give_inception(patch, folder)
        give_geneval(folder)
        for give in GIVE.values():
            give(folder)
        patch.setattr(bench.run, "num_workers", lambda device: 1)  # a child would not know the small model
        for name, num in (("coco-images", NUM_IMAGES), ("geneval", 4 * len(geneval_prompts()))):
            for protocol in (f"{name}-quality", f"{name}-50-steps-quality"):
                patch.setitem(PROTOCOLS, protocol, replace(PROTOCOLS[protocol], num_images=num))
        yield folder


def runs_at(scale, results):
    """The plan of a scale, without what is timed and counted."""
    plan = make_plan(scale=scale, only=(NAME,), quick=False, device="cpu", results=results)
    asked = [r for r in plan.runs if r.spec.protocol.collects in ("images", "answers", "geneval")]
    assert {run.spec.model for run in asked} == {NAME}
    return replace(plan, runs=tuple(asked))


def verdicts_of(metric, protocol, records):
    sides = [(claim, claim.paper_scale) for claim in ledger()]
    claims = [c for c, side in sides if (side.subject, side.metric, side.protocol) == (NAME, metric, protocol)]
    assert claims
    return [judge(claim, records)[0] for claim in claims]


@pytest.mark.parametrize("scale", GIVE)
def test_a_question_set_is_asked_scored_and_judged(laboratory, tmp_path, scale):
    plan = runs_at(scale, tmp_path)
    assert [run.lacks for run in plan.runs] == [()]
    assert run_plan(plan) == []
    loaded = load_records([tmp_path])
    (record,) = loaded.records
    assert not loaded.faults
    assert record.texts.scoring["format"] == scale
    assert record.inputs.weights_sha256 == assets.checksum(assets.find("d-dit-512-sft"))
    assert record.settings["num_steps"] == 32
    assert METRICS[scale] in record.measurements
    words = [verdict.word for verdict in verdicts_of(METRICS[scale], record.protocol.name, loaded.records)]
    assert set(words) <= set(JUDGED)


def test_images_of_coco_captions_are_scored_against_the_photographs_at_both_numbers_of_steps(laboratory, tmp_path):
    plan = runs_at("coco-images", tmp_path)
    assert [(run.spec.protocol.variant, run.lacks) for run in plan.runs] == [("", ()), ("50-steps", ())]
    assert run_plan(plan) == []
    records = {record.protocol.variant: record for record in load_records([tmp_path]).records}
    usual = records[""]
    assert usual.settings["num_steps"] == 28
    assert records["50-steps"].settings["num_steps"] == 50
    assert usual.images.samples.labels == "prompts"
    assert usual.images.scoring["resize"] == "adm to 256x256"
    assert usual.images.scoring["generated"]["image_size"] == [256, 256]
    assert usual.images.scoring["reference"]["num_images"] == NUM_IMAGES
    assert usual.measurements["fid"].n == NUM_IMAGES
    assert usual.measurements["fid"].value != records["50-steps"].measurements["fid"].value
    (verdict,) = verdicts_of("fid", "coco-images-quality", list(records.values()))
    assert verdict.word in JUDGED
    assert verdict.records == (usual.file,)


def test_each_image_is_of_its_own_caption(laboratory):
    """The first caption of each image of the file."""
    prompts = prompts_of(PROTOCOLS["coco-images-quality"])
    assert prompts == [f"a dog number {i} runs 0" for i in range(1, NUM_IMAGES + 1)]


def test_a_captions_file_that_is_too_short_is_said_before_any_work(laboratory):
    patched = replace(PROTOCOLS["coco-images-quality"], num_images=30_000)
    with pytest.raises(UsageError, match=r"captions of 20 images; coco-images-quality needs 30,000"):
        prompts_of(patched)


def test_geneval_writes_the_official_layout_and_waits_for_the_detector(laboratory, tmp_path, capsys):
    """First the images and what to run on them, and no record; with the results file beside them, scores, verdicts."""
    plan = runs_at("geneval", tmp_path)
    plan = replace(plan, runs=plan.runs[:1])
    (what,) = outlook(plan).awaits.values()
    assert "results.jsonl" in what
    assert "evaluation/evaluate_images.py" in what
    assert "python -m bench fetch geneval-detector" in what
    assert outlook(plan).todo == [0]
    assert run_plan(plan) == []
    (folder,) = (tmp_path / WORK / "geneval").iterdir()
    assert "waits for the results of GenEval's detector" in (said := capsys.readouterr().out)
    assert str(folder / "results.jsonl") in said
    assert not load_records([tmp_path]).records
    waiting = outlook(plan)
    assert (waiting.todo, waiting.idle) == ([], {0}), "nothing is left to do here"
    assert waiting.forecasts[0].num_stored == 4 * len(geneval_prompts())
    assert str(folder / "results.jsonl") in waiting.awaits[0]
    assert run_plan(plan) == []
    assert "not run: needs the results of GenEval's detector" in capsys.readouterr().out
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    images = [f"{i:05d}/samples/{k:04d}.png" for i in range(len(geneval_prompts())) for k in range(4)]
    assert found == sorted([*images, *(f"{i:05d}/metadata.jsonl" for i in range(len(geneval_prompts())))])
    run = RunSpec(NAME, plan.runs[0].spec.protocol)
    samples = collect(build_for(NAME, run.protocol, "cpu", tmp_path / WORK), run, tmp_path / WORK)
    pictures = np.stack([np.asarray(Image.open(folder / name)).transpose(2, 0, 1) for name in images])
    assert np.array_equal(pictures, samples.images())
    assert len({picture.tobytes() for picture in pictures}) == len(images), "four images of a prompt differ"

    assert {"images that wait for GenEval's detector"} <= {one.why for one in leftovers(tmp_path) if not one.goes}
    write(folder / "results.jsonl", geneval_results(folder, lambda prompt, image: image < 2))
    assert not outlook(plan).awaits
    whole = (folder / images[3]).read_bytes()
    (folder / images[3]).write_bytes(whole[:-5])
    assert run_plan(plan) == []
    assert (folder / images[3]).read_bytes() == whole, "a damaged image is made again"
    assert not list(leftovers(tmp_path))
    record = load_records([tmp_path]).records[-1]
    assert record.measurements["geneval_overall"].value == 0.5
    assert record.paintings.samples.store == folder.name
    assert record.elsewhere is None
    for name in ("overall", "single_object", "two_objects", "counting", "colours", "position", "attribution"):
        words = [
            one.word for one in verdicts_of(f"geneval_{name}", "geneval-quality", load_records([tmp_path]).records)
        ]
        assert set(words) <= set(JUDGED)


def test_results_of_other_images_are_refused(laboratory, tmp_path):
    plan = runs_at("geneval", tmp_path)
    plan = replace(plan, runs=plan.runs[:1])
    run_plan(plan)
    (folder,) = (tmp_path / WORK / "geneval").iterdir()
    lines = geneval_results(folder, lambda prompt, image: True).replace("/00000/samples/0003", "/00000/samples/0004")
    write(folder / "results.jsonl", lines)
    (failed,) = run_plan(plan)
    assert "0004.png is no image of this run" in failed.reason
