"""Images and texts made elsewhere, from files to a record and a verdict; what breaks a protocol's rules is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bench.datasets import digits
from bench.evaluators.elsewhere import SETTINGS
from bench.protocols import PROTOCOLS
from bench.records.json_files import read_json, write_json
from bench.records.store import content_sha256, load_records
from bench.report import render
from bench.verdict.judge import MADE_ELSEWHERE
from tests.command_line import bench, complains, write
from tests.stand_ins import (
    captions,
    geneval_prompts,
    geneval_results,
    give_adm,
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

QUALITY, NUM_IMAGES = "imagenet-256-quality", 20
NUM_CAPTIONS = 4
JUDGED = {"reproduced", "not reproduced", "inconclusive"}


def pixels(num=NUM_IMAGES, size=256):
    return np.random.default_rng(1).integers(0, 256, (num, size, size, 3), np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.records.environment.processor", lambda: "Acme CPU")
    return use_assets(monkeypatch, tmp_path)


@pytest.fixture
def imagenet(folder, monkeypatch):
    """ADM's statistics and an extractor; the protocol of 20 images in place of 50,000."""
    give_inception(monkeypatch, folder)
    give_adm(folder)
    monkeypatch.setitem(PROTOCOLS, QUALITY, replace(PROTOCOLS[QUALITY], num_images=NUM_IMAGES))
    return folder


@pytest.fixture
def samples(tmp_path):
    """A folder of PNGs as the authors' code leaves it."""
    place = tmp_path / "samples"
    place.mkdir()
    for i, image in enumerate(pixels()):
        Image.fromarray(image).save(place / f"{i:05d}.png")
    return place


def record_images(capsys, generated, tmp_path, *more, model="mar-l", protocol=QUALITY):
    call = ("score", "images", generated, "--record", "--model", model, "--protocol", protocol)
    return bench(capsys, *call, "--results", tmp_path / "results", *more)


def refused_images(capsys, generated, tmp_path, *more, model="mar-l", protocol=QUALITY):
    call = ("score", "images", generated, "--record", "--model", model, "--protocol", protocol)
    line = complains(capsys, *call, "--results", tmp_path / "results", *more)
    assert not (tmp_path / "results").exists()
    return line


def only_record(tmp_path):
    loaded = load_records([tmp_path / "results"])
    assert not loaded.faults
    (record,) = loaded.records
    return record


# -- images ------------------------------------------------------------------------------------------------------------


def test_images_of_somebody_elses_code_end_in_a_verdict_that_says_so(capsys, imagenet, samples, tmp_path):
    """mar-l at imagenet-256: folder, record, verdicts in the terminal, on the page, in `list` and `verify`."""
    status, out, err = record_images(capsys, samples, tmp_path, "--made-by", "LTH14/mar @fe470ac")
    assert (status, err) == (0, "")
    said = " ".join(out.split())
    assert "mar-l-fid-table-4: not reproduced" in said or "mar-l-fid-table-4: inconclusive" in said
    record = only_record(tmp_path)
    assert record.elsewhere.words == (
        f"20 images of 'samples' (made by LTH14/mar @fe470ac; SHA-256 {record.elsewhere.sha256[:12]})"
    )
    assert record.elsewhere.sha256 == record.images.audit.content_sha256
    assert set(record.elsewhere.files) == {"adm-imagenet-256", "inception", "features"}
    assert record.measurements["fid"].n == NUM_IMAGES
    assert (record.inputs.weights_sha256, record.images.samples) == (None, None)
    assert dict(record.settings)["cfg_scale"] == 3.0
    page = render([tmp_path / "results"], tmp_path / "page.html").read_text()
    assert "imagenet-256-quality of mar-l was made elsewhere and scored here: 20 images" in page
    assert MADE_ELSEWHERE in page
    status, out, _ = bench(capsys, "verify", "--results", tmp_path / "results", "--report", tmp_path / "page.html")
    assert status == 0, out
    assert f"made elsewhere, scored here: {record.file}: 20 images" in out
    _, out, _ = bench(capsys, "list", "records", "--results", tmp_path / "results")
    assert "20 images of 'samples'" in " ".join(out.split())
    _, out, _ = bench(capsys, "list", "claims", "--model", "mar-l", "--results", tmp_path / "results")
    assert "mar-l-fid-readme" in out
    assert MADE_ELSEWHERE in " ".join(out.split())


def test_the_same_images_in_an_npz_have_the_same_hash_and_scores(capsys, imagenet, samples, tmp_path):
    np.savez(tmp_path / "samples.npz", arr_0=pixels(), arr_1=np.arange(NUM_IMAGES))
    assert record_images(capsys, samples, tmp_path)[0] == 0
    assert record_images(capsys, tmp_path / "samples.npz", tmp_path)[0] == 0
    found = {record.elsewhere.name: record for record in load_records([tmp_path / "results"]).records}
    folder, npz = found["samples"], found["samples.npz"]
    assert folder.elsewhere.sha256 == npz.elsewhere.sha256
    assert folder.measurements["fid"].value == npz.measurements["fid"].value
    assert any("the classes" in clause for clause in folder.elsewhere.assumed)
    assert not any("the classes" in clause for clause in npz.elsewhere.assumed)  # arr_1 tells them


def test_other_pixels_or_another_order_is_another_hash(capsys, imagenet, samples, tmp_path):
    np.savez(tmp_path / "turned.npz", arr_0=pixels()[::-1])
    record_images(capsys, samples, tmp_path)
    record_images(capsys, tmp_path / "turned.npz", tmp_path)
    one, other = load_records([tmp_path / "results"]).records
    assert one.elsewhere.sha256 != other.elsewhere.sha256


def test_settings_unlike_the_published_answer_no_claim_of_the_published(capsys, imagenet, samples, tmp_path):
    status, out, _ = record_images(
        capsys, samples, tmp_path, "--settings", "cfg_scale=2.5", "--settings", "num_iter=64"
    )
    assert status == 0
    assert "mar-l-fid-table-4: not run" in " ".join(out.split())
    record = only_record(tmp_path)
    assert (record.settings["cfg_scale"], record.settings["num_iter"]) == (2.5, 64)
    assert dict(record.inputs.settings) == {"cfg_scale": 2.5, "num_iter": 64}


def test_another_number_of_images_is_refused(capsys, imagenet, samples, tmp_path):
    (samples / "00007.png").unlink()
    assert "19 images; imagenet-256-quality is of 20" in refused_images(capsys, samples, tmp_path)


def test_images_of_another_size_are_refused(capsys, imagenet, tmp_path):
    np.savez(tmp_path / "small.npz", arr_0=pixels(size=64))
    assert "images of 64x64; mar-l generates 256x256" in refused_images(capsys, tmp_path / "small.npz", tmp_path)


def test_classes_that_are_not_balanced_are_refused_where_the_files_tell_them(capsys, imagenet, tmp_path):
    np.savez(tmp_path / "one-class.npz", arr_0=pixels(), arr_1=np.zeros(NUM_IMAGES, int))
    line = refused_images(capsys, tmp_path / "one-class.npz", tmp_path)
    assert "0 to 20 images a class; the numbers of mar-l are printed for as many of each class" in line
    np.savez(tmp_path / "many.npz", arr_0=pixels(), arr_1=np.arange(NUM_IMAGES) * 60)
    assert "1,141 classes" in refused_images(capsys, tmp_path / "many.npz", tmp_path)


def test_a_published_rule_of_drawn_classes_takes_what_is_not_balanced(capsys, imagenet, tmp_path):
    np.savez(tmp_path / "drawn.npz", arr_0=pixels(), arr_1=np.zeros(NUM_IMAGES, int))
    assert record_images(capsys, tmp_path / "drawn.npz", tmp_path, model="dit-xl-2")[0] == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--reference", "digits-train"), "--reference does not go with --record"),
        (("--features", "digits"), "--features does not go with --record"),
        (("--resize", "adm"), "--resize does not go with --record"),
        (("--settings", "steps=3"), "expected KEY=VALUE with a setting of mar-l: num_iter"),
        (("--settings", "cfg_scale=high"), "expected a value like 3.0"),
        (("--classes", "10"), "--classes 10: imagenet-256-quality is of 1,000 classes"),
    ],
)
def test_options_that_the_protocol_leaves_no_room_for(capsys, imagenet, samples, tmp_path, more, words):
    assert words in refused_images(capsys, samples, tmp_path, *more)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"model": "mar-x"}, "unknown model 'mar-x'"),
        ({"protocol": "imagenet"}, "--protocol imagenet: unknown; there are: digits-quality, imagenet-256-quality"),
        ({"protocol": "imagenet-256-latency"}, "is no protocol of images made elsewhere"),
        ({"protocol": "imagenet-512-quality"}, "is of scale imagenet-512; mar-l is of imagenet-256"),
        (
            {"model": "var-d16", "protocol": "imagenet-256-no-guidance-quality"},
            "nothing is printed of var-d16 under it",
        ),
    ],
)
def test_names_that_do_not_fit_are_one_line(capsys, imagenet, samples, tmp_path, names, words):
    assert words in refused_images(capsys, samples, tmp_path, **names)


def test_the_options_of_a_record_go_together(capsys, tmp_path):
    assert "--record needs --model and --protocol" in complains(capsys, "score", "images", tmp_path, "--record")
    assert "--model goes with --record" in complains(capsys, "score", "images", tmp_path, "--model", "mar-l")


def test_an_asset_that_is_not_there_is_named_with_its_path(capsys, folder, samples, tmp_path, monkeypatch):
    monkeypatch.setitem(PROTOCOLS, QUALITY, replace(PROTOCOLS[QUALITY], num_images=NUM_IMAGES))
    assert f"adm-imagenet-256 is missing: {folder}" in refused_images(capsys, samples, tmp_path)


@pytest.fixture
def class_folders(tmp_path):
    """500 scans, 50 in each of ten class folders."""
    images, labels = digits.load("heldout")
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        (tmp_path / "digits" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.transpose(1, 2, 0)).save(tmp_path / "digits" / str(label) / f"{i}.png")
    return tmp_path / "digits"


def test_class_folders_tell_the_classes_and_intervals_use_them(capsys, folder, class_folders, tmp_path):
    assert record_images(capsys, class_folders, tmp_path, model="dit-digits", protocol="digits")[0] == 0
    record = only_record(tmp_path)
    assert record.images.scoring["classes"] == "by the class folders"
    assert record.elsewhere.assumed == (SETTINGS,)
    assert set(record.elsewhere.files) == {"features"}


def test_class_folders_of_unlike_sizes_are_refused(capsys, folder, class_folders, tmp_path):
    first = next((class_folders / "3").iterdir())
    first.rename(class_folders / "4" / "moved.png")
    line = refused_images(capsys, class_folders, tmp_path, model="dit-digits", protocol="digits")
    assert "49 to 51 images a class" in line


def test_statistics_and_real_scans_are_no_images_of_a_model(capsys, imagenet, tmp_path):
    np.savez(tmp_path / "mu.npz", mu=np.zeros(8), sigma=np.eye(8))
    assert "holds statistics; a record needs the images" in refused_images(capsys, tmp_path / "mu.npz", tmp_path)
    line = refused_images(capsys, "digits-heldout", tmp_path, model="dit-digits", protocol="digits")
    assert "real scans; expected images of dit-digits" in line


def test_a_scale_names_its_usual_protocol(capsys, imagenet, samples, tmp_path):
    assert record_images(capsys, samples, tmp_path, protocol="imagenet-256")[0] == 0
    assert only_record(tmp_path).protocol.name == QUALITY


def test_a_record_without_the_mark_was_edited(capsys, imagenet, samples, tmp_path):
    """Without `elsewhere`, or with one that cannot be read, it is no record: it never passes for a measured one."""
    record_images(capsys, samples, tmp_path)
    (path,) = (tmp_path / "results").glob("*/mar-l--*.json")
    data = read_json(path)
    write_json({key: value for key, value in data.items() if key != "elsewhere"}, path)
    assert "was edited" in load_records([tmp_path / "results"]).faults[0]
    damaged = data | {"elsewhere": {"what": "images"}}
    write_json(damaged | {"sha256": content_sha256(damaged)}, path)
    loaded = load_records([tmp_path / "results"])
    assert not loaded.records
    assert "elsewhere" in loaded.faults[0]


# -- captions and answers ----------------------------------------------------------------------------------------------


def results_of_captions(path, num=NUM_CAPTIONS):
    return write(path, [{"image_id": i, "caption": f"a dog number {i} runs"} for i in range(1, num + 1)])


def record_texts(capsys, kind, results, tmp_path, protocol, *more):
    call = ("score", kind, results, "--record", "--model", "d-dit-512", "--protocol", protocol)
    return bench(capsys, *call, "--results", tmp_path / "results", *more)


def test_captions_of_somebody_elses_code_are_judged_against_56_2(capsys, folder, tmp_path):
    """The annotations alone are enough: no photograph is looked at."""
    give_coco(folder, NUM_CAPTIONS)
    results = results_of_captions(tmp_path / "results.json")
    status, out, err = record_texts(capsys, "captions", results, tmp_path, "coco-captions", "--made-by", "the authors")
    assert (status, err) == (0, "")
    said = " ".join(out.split())
    assert any(f"d-dit-cider: {word}" in said for word in JUDGED)
    assert "d-dit-caption-steps: not run" in said  # it is of 4 steps
    page = render([tmp_path / "results"], tmp_path / "page.html").read_text()
    assert "coco-captions-captions of d-dit-512 was made elsewhere and scored here: 4 captions" in page
    status, out, _ = bench(capsys, "verify", "--results", tmp_path / "results", "--report", tmp_path / "page.html")
    assert status == 0, out
    record = only_record(tmp_path)
    assert record.elsewhere.what == "captions"
    assert record.elsewhere.num_items == NUM_CAPTIONS
    assert set(record.elsewhere.files) == {"annotations"}
    assert "nfe" in record.texts.not_run
    assert record.settings["num_steps"] == 64
    assert any("4 of 40,504 images" in clause for clause in record.elsewhere.assumed)


def test_captions_at_four_steps_answer_the_claim_on_four_steps(capsys, folder, tmp_path):
    give_coco(folder, NUM_CAPTIONS)
    results = results_of_captions(tmp_path / "results.json")
    _, out, _ = record_texts(capsys, "captions", results, tmp_path, "coco-captions", "--settings", "num_steps=4")
    said = " ".join(out.split())
    assert "d-dit-cider: not run" in said
    assert any(f"d-dit-caption-steps: {word}" in said for word in JUDGED)


def test_annotations_may_lie_elsewhere_but_are_the_data_sets(capsys, folder, tmp_path):
    results = results_of_captions(tmp_path / "results.json")
    call = ("score", "captions", results, "--record", "--model", "d-dit-512", "--protocol", "coco-captions")
    line = complains(capsys, *call)
    assert "coco-val2014 is missing" in line
    assert "--annotations FILE" in line
    own = write(tmp_path / "own.json", captions(NUM_CAPTIONS))
    assert record_texts(capsys, "captions", results, tmp_path, "coco-captions", "--annotations", own)[0] == 0
    give_coco(folder, NUM_CAPTIONS + 1)
    assert "not the annotations/captions_val2014.json of coco-val2014" in complains(capsys, *call, "--annotations", own)


def test_a_caption_that_is_missing_makes_no_record(capsys, folder, tmp_path):
    give_coco(folder, NUM_CAPTIONS)
    results = results_of_captions(tmp_path / "results.json", NUM_CAPTIONS - 1)
    call = ("score", "captions", results, "--record", "--model", "d-dit-512", "--protocol", "coco-captions")
    assert "1 of 4 image ids have no result" in complains(capsys, *call, "--results", tmp_path / "results")
    assert "--subset does not go with --record" in complains(capsys, *call, "--subset")


def give_vqa(folder, num=NUM_CAPTIONS):
    (folder / "vqa-v2").mkdir()
    asked = [{"question_id": i, "image_id": i, "question": f"what is {i}?"} for i in range(1, num + 1)]
    kinds = {"question_type": "what is", "answer_type": "other"}
    answers = [
        {"question_id": i, "image_id": i, **kinds, "answers": [{"answer": "two"}] * 10} for i in range(1, num + 1)
    ]
    write(folder / "vqa-v2/v2_OpenEnded_mscoco_val2014_questions.json", {"questions": asked})
    write(folder / "vqa-v2/v2_mscoco_val2014_annotations.json", {"annotations": answers})


def test_answers_of_somebody_elses_code_are_judged_against_60_1(capsys, folder, tmp_path):
    give_vqa(folder)
    results = write(tmp_path / "r.json", [{"question_id": i, "answer": "two"} for i in range(1, NUM_CAPTIONS + 1)])
    status, out, err = record_texts(capsys, "vqa", results, tmp_path, "vqa-v2")
    assert (status, err) == (0, "")
    said = " ".join(out.split())
    assert any(f"d-dit-vqa: {word}" in said for word in JUDGED)
    record = only_record(tmp_path)
    assert record.measurements["vqa_accuracy"].value == 100
    assert record.settings["num_steps"] == 32
    assert set(record.elsewhere.files) == {"questions", "annotations"}


def test_pope_takes_a_folder_with_a_file_for_each_of_its_three(capsys, folder, tmp_path):
    give_pope(folder)
    (tmp_path / "said").mkdir()
    for kind in ("random", "popular", "adversarial"):
        write(tmp_path / "said" / f"answers-{kind}.json", [{"question_id": i, "answer": "Yes"} for i in (1, 2)])
    assert record_texts(capsys, "vqa", tmp_path / "said", tmp_path, "pope")[0] == 0
    assert only_record(tmp_path).measurements["pope_accuracy"].value == 50
    (tmp_path / "said/answers-random.json").unlink()
    call = ("score", "vqa", tmp_path / "said", "--record", "--model", "d-dit-512", "--protocol", "pope")
    assert "0 files with 'random' in their names; expected one" in complains(capsys, *call)


def test_ok_vqa_is_scored_against_its_stemmed_answers(capsys, folder, tmp_path):
    """ "race" is said by six of ten: all; "motocross" by four: leaving out one of those, 3 of 3; "surfing" by none."""
    ids = give_okvqa(folder)
    for said, expected in ((("race", "surf"), 100), (("motocross", "surf"), 100), (("race", "surfing"), 50)):
        answers = [{"question_id": one, "answer": word} for one, word in zip(ids, said, strict=True)]
        results = write(tmp_path / "r.json", answers)
        place = tmp_path / "-".join(said)
        call = ("score", "vqa", results, "--record", "--model", "d-dit-512", "--protocol", "okvqa", "--results", place)
        status, out, err = bench(capsys, *call)
        assert (status, err) == (0, "")
        (record,) = load_records([place]).records
        assert record.measurements["vqa_accuracy"].value == pytest.approx(expected)
        assert set(record.texts.by_question_type) == {"Vehicles and Transportation"}
        assert "d-dit-512-okvqa: inconclusive" in " ".join(out.split())  # two questions bound no accuracy


def test_vizwiz_is_scored_by_its_own_rule(capsys, folder, tmp_path):
    """Of the second question's ten answers two are "phone": left out one by one, 2/3 eight times and 1/3 twice: 0.6."""
    names = give_vizwiz(folder)
    answers = [{"image": name, "answer": word} for name, word in zip(names, ("basil", "phone"), strict=True)]
    assert record_texts(capsys, "vqa", write(tmp_path / "r.json", answers), tmp_path, "vizwiz")[0] == 0
    assert only_record(tmp_path).measurements["vqa_accuracy"].value == pytest.approx(100 * (1 + 0.6) / 2)


def test_gqa_counts_exact_matches_by_type(capsys, folder, tmp_path):
    ids = give_gqa(folder)
    answers = [{"questionId": one, "prediction": word} for one, word in zip(ids, ("no", "lady"), strict=True)]
    assert record_texts(capsys, "vqa", write(tmp_path / "r.json", answers), tmp_path, "gqa")[0] == 0
    record = only_record(tmp_path)
    assert record.measurements["gqa_accuracy"].value == 50
    assert {kind: one.accuracy for kind, one in record.texts.by_question_type.items()} == {"verify": 100, "query": 0}


def test_mme_takes_the_folder_that_its_tool_reads(capsys, folder, tmp_path):
    """Yes to both questions of an image: one of two right, no image wholly right: 50 of 200 points a subtask."""
    give_mme(folder)
    (tmp_path / "said").mkdir()
    for subtask in (folder / "mme").iterdir():
        rows = [("1.jpg", question, truth, "Yes") for question, truth in (("Is it?", "Yes"), ("Is it not?", "No"))]
        write(tmp_path / "said" / f"{subtask.name}.txt", "".join("\t".join(row) + "\n" for row in rows))
    assert record_texts(capsys, "vqa", tmp_path / "said", tmp_path, "mme")[0] == 0
    assert only_record(tmp_path).measurements["mme_perception"].value == 500


def test_a_model_that_reads_nothing_answers_nothing(capsys, folder, tmp_path):
    call = ("score", "vqa", tmp_path, "--record", "--model", "mar-l", "--protocol", "vqa-v2")
    assert "--protocol vqa-v2-answers is of scale vqa-v2; mar-l is of imagenet-256" in complains(capsys, *call)


# -- GenEval -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def geneval(folder, monkeypatch):
    """Its prompts, two of each task, and the protocol of 48 images in place of 2,212."""
    give_geneval(folder)
    monkeypatch.setitem(PROTOCOLS, "geneval-quality", replace(PROTOCOLS["geneval-quality"], num_images=48))


def score_geneval(capsys, tmp_path, results, *more):
    return bench(capsys, "score", "geneval", results, *more, "--json", tmp_path / "out.json")


def test_geneval_scores_are_shares_of_images_and_their_mean_over_tasks(capsys, geneval, tmp_path):
    """All images of single objects, half of the first two prompts of two objects, none else: (1 + 1/2) / 6."""
    results = write(
        tmp_path / "r.jsonl", geneval_results("out", lambda prompt, image: prompt < 2 or (prompt < 4 > image * 2))
    )
    assert score_geneval(capsys, tmp_path, results)[0] == 0
    found = json.loads((tmp_path / "out.json").read_text())["metrics"]
    values = {name: one["value"] for name, one in found.items()}
    assert values["geneval_overall"] == pytest.approx(1.5 / 6)
    assert (values["geneval_single_object"], values["geneval_two_objects"], values["geneval_counting"]) == (1, 0.5, 0)
    assert found["geneval_overall"]["n"] == 12


def test_a_task_that_is_missing_is_said_and_left_out_of_the_mean(capsys, geneval, tmp_path):
    lines = geneval_results("out", lambda prompt, image: True).splitlines(keepends=True)
    results = write(tmp_path / "r.jsonl", "".join(line for line in lines if '"tag": "position"' not in line))
    _, out, _ = score_geneval(capsys, tmp_path, results)
    assert "no image of position: overall is the mean over the others" in " ".join(out.split())
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["metrics"]["geneval_overall"]["value"] == 1
    assert set(found["not_run"]) == {"geneval_position"}


def test_geneval_results_of_elsewhere_are_judged_against_the_printed_ones(capsys, geneval, tmp_path):
    results = write(tmp_path / "r.jsonl", geneval_results("out", lambda prompt, image: (prompt + image) % 2))
    record = ("--record", "--model", "d-dit-512", "--protocol", "geneval", "--results", tmp_path / "results")
    status, out, err = score_geneval(capsys, tmp_path, results, *record)
    assert (status, err) == (0, "")
    assert "d-dit-512-geneval-overall: inconclusive" in " ".join(out.split()) or "geneval-overall: not repr" in out
    found = only_record(tmp_path)
    assert found.measurements["geneval_overall"].value == 0.5
    assert (found.elsewhere.what, found.elsewhere.num_items) == ("detections", 48)
    assert set(found.elsewhere.files) == {"prompts"}
    page = render([tmp_path / "results"], tmp_path / "page.html").read_text()
    assert "geneval-quality of d-dit-512 was made elsewhere and scored here: 48 detections" in page
    status, out, _ = bench(capsys, "verify", "--results", tmp_path / "results", "--report", tmp_path / "page.html")
    assert status == 0, out


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda lines: lines[:-1], "47 images; expected 4 of each of 12 prompts"),
        (lambda lines: [*lines, lines[0]], "1 images are there twice"),
        (lambda lines: [line.replace("a bench", "a bank") for line in lines], "there is another number"),
        (
            lambda lines: [line.replace('"colors"', '"colours"') for line in lines],
            "'tag' is 'colours'; expected",
        ),
        (lambda lines: [line.replace("false", '"no"') for line in lines], "'correct' is 'no'; expected true or false"),
        (lambda lines: ["[]"], "an empty list"),
    ],
)
def test_geneval_results_that_do_not_fit_are_one_line(capsys, geneval, tmp_path, spoil, words):
    lines = geneval_results("out", lambda prompt, image: False).splitlines(keepends=True)
    results = write(tmp_path / "r.jsonl", "".join(spoil(lines)))
    record = ("--record", "--model", "d-dit-512", "--protocol", "geneval", "--results", tmp_path / "results")
    assert words in complains(capsys, "score", "geneval", results, *record)
    assert not (tmp_path / "results").exists()


def test_without_its_prompts_geneval_is_known_by_the_number_of_its_images(capsys, folder, tmp_path):
    results = write(tmp_path / "r.jsonl", geneval_results("out", lambda prompt, image: False))
    record = ("--record", "--model", "d-dit-512", "--protocol", "geneval", "--results", tmp_path / "results")
    line = complains(capsys, "score", "geneval", results, *record)
    assert "48 images; geneval-quality is of 2,212, 4 of each of 553 prompts" in line
    assert len(geneval_prompts()) == 12


def test_json_says_what_was_scored(capsys, imagenet, samples, tmp_path):
    assert record_images(capsys, samples, tmp_path, "--json", tmp_path / "out.json")[0] == 0
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["elsewhere"]["num_items"] == NUM_IMAGES
    assert told["metrics"]["fid"]["value"] == only_record(tmp_path).measurements["fid"].value
    assert only_record(tmp_path).file.endswith(told["record"])
