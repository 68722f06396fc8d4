"""`bench caption` and `bench answer`: what a model says of a data set's images, as its evaluator reads it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from bench import files
from bench.commands import describe
from bench.datasets import coco_captions, photos
from bench.datasets.question_formats import RESULT_KEYS, load_question_set, load_results
from bench.files import HOST
from bench.sampling.shards import ShardSet
from reference_models import build
from reference_models.noise import image_seeds
from tests.command_line import bench, complains, write
from tests.warm import Warm

NUM_IMAGES = 5
QUESTIONS = ("is there a red 3 ?", "what colour is the 7 ?")
NAMES = [f"COCO_val2014_{i:012d}.jpg" for i in range(1, NUM_IMAGES + 1)]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder of weights of both models, no weight zero: a fresh D-DiT looks at no image (adaLN-Zero)."""
    folder = tmp_path_factory.mktemp("weights")
    for name in ("d-dit-digits", "ar-vlm-digits"):
        model = build(name, weights=None)
        generator = torch.Generator().manual_seed(0)
        state = {key: 0.2 * torch.randn(value.shape, generator=generator) for key, value in model.state_dict().items()}
        save_file(state, folder / f"{name}.safetensors")
    return folder


@pytest.fixture
def data(tmp_path, weights, monkeypatch):
    """A folder with images of several sizes and kinds, captions and questions about them in the official layouts."""
    monkeypatch.setenv("ARBITER_WEIGHTS", str(weights))
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for i, name in enumerate(NAMES):
        pixels = rng.integers(0, 256, (16 + 3 * i, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(("RGB", "L", "CMYK", "RGB", "L")[i]).save(tmp_path / "images" / name)
    images = [{"id": 10 * i, "file_name": name} for i, name in enumerate(NAMES, 1)]
    captions = [{"image_id": 10 * i, "id": i, "caption": "a red 3"} for i in range(1, NUM_IMAGES + 1)]
    write(tmp_path / "captions.json", {"images": images, "annotations": captions})
    return tmp_path


def caption(data, out, *options, model="d-dit-digits"):
    fixed = ("--annotations", data / "captions.json", "--images", data / "images", "--steps", 4, "--device", "cpu")
    return ("caption", model, *fixed, "--out", out, *options)


def test_every_caption_is_what_the_model_says_of_its_image(capsys, data):
    """By image and (seed, number in the file) alone, whatever the batch; with its ending, in the file's order."""
    status, said, err = bench(capsys, *caption(data, data / "out.json", "--seed", 3, "--batch-size", 2))
    assert status == 0, err
    assert "captions: " in said
    found = json.loads((data / "out.json").read_text())
    assert [entry["image_id"] for entry in found] == [10, 20, 30, 40, 50]
    model = build("d-dit-digits")
    for i, entry in enumerate(found):
        image = photos.read_photo(data / "images" / NAMES[i], 16)
        (alone,) = model.say(torch.from_numpy(image[None]), [""], image_seeds(3, [i]), num_steps=4)
        assert entry == {"image_id": 10 * (i + 1), "caption": alone.text, "finish": alone.finish}
    assert len({entry["caption"] for entry in found}) == NUM_IMAGES
    read = coco_captions.load_results(data / "out.json")
    assert {image_id: text.finish for image_id, text in read.items()} == {e["image_id"]: e["finish"] for e in found}
    made_by = json.loads((data / "out.made-by.json").read_text())
    assert made_by["settings"]["num_steps"] == 4
    assert (made_by["model"], made_by["seed"], made_by["unreadable_images"]) == ("d-dit-digits", 3, {})
    assert not list(data.glob("*.partial"))


def test_a_killed_run_goes_on_and_ends_in_the_same_file(capsys, data, monkeypatch):
    """Stopped at the fourth image it keeps the first shard of two, writes no result; the rest alone is read again."""
    assert bench(capsys, *caption(data, data / "whole.json"))[0] == 0
    read_photo, seen = photos.read_photo, []

    def stops_at_the_fourth(path, size):
        seen.append(path.name)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return read_photo(path, size)

    monkeypatch.setattr(describe, "read_photo", stops_at_the_fourth)
    status, _, err = bench(capsys, *caption(data, data / "out.json", "--batch-size", 1))
    assert status == 130
    assert "run the same command again" in err
    assert not (data / "out.json").exists()
    assert not list(data.rglob(".*"))  # no temporary file, no claim
    seen.clear()
    monkeypatch.setattr(describe, "read_photo", lambda path, size: seen.append(path.name) or read_photo(path, size))
    line = complains(capsys, *caption(data, data / "out.json", "--seed", 1))
    assert "work of another run (another seed)" in line
    assert bench(capsys, *caption(data, data / "out.json", "--batch-size", 2))[0] == 0
    assert seen == NAMES[2:]
    assert (data / "out.json").read_bytes() == (data / "whole.json").read_bytes()


@pytest.mark.slow
def test_two_processes_share_the_captions_and_one_writes_them(capsys, data, weights):
    """Both end well, in one file of results and one that says what made it; so does a third that comes too late."""
    assert bench(capsys, *caption(data, data / "whole.json"))[0] == 0
    workers = [start(weights, *caption(data, data / "out.json", "--batch-size", 2), rank=(i, 2)) for i in range(2)]
    for worker in workers:
        out, err = worker.communicate(timeout=240)
        assert (worker.returncode, err) == (0, "")
        assert f"captions: {data / 'out.json'} (5 by d-dit-digits, seed 0)" in out
    assert (data / "out.json").read_bytes() == (data / "whole.json").read_bytes()
    assert not list(data.glob("*.partial"))
    assert not list(data.rglob(".*"))
    late = bench(capsys, *caption(data, data / "out.json"))
    assert (late[0], late[2]) == (0, "")
    assert "exists already" in complains(capsys, *caption(data, data / "out.json", "--seed", 1))


def start(weights, *arguments, rank):
    """A worker in a process of its own."""
    environment = dict(zip(("RANK", "WORLD_SIZE"), map(str, rank), strict=True))
    return Warm("bench", *arguments, environment={**environment, "ARBITER_WEIGHTS": str(weights)})


def test_another_process_that_writes_the_results_first_is_enough(capsys, data, monkeypatch):
    """The results appear, and the shards vanish, while this process works: it ends well and leaves nothing."""
    assert bench(capsys, *caption(data, data / "out.json"))[0] == 0
    results = (data / "out.json").read_bytes()
    (data / "out.json").unlink()
    read_photo, seen = photos.read_photo, []

    def finished_meanwhile(path, size):
        seen.append(path.name)
        if len(seen) == 2:
            shutil.rmtree(data / "out.json.partial")
            (data / "out.json").write_bytes(results)
        return read_photo(path, size)

    monkeypatch.setattr(describe, "read_photo", finished_meanwhile)
    status, _, err = bench(capsys, *caption(data, data / "out.json", "--batch-size", 1))
    assert (status, err) == (0, "")
    assert len(seen) == 2
    assert (data / "out.json").read_bytes() == results
    assert not list(data.glob("*.partial"))


def test_of_two_calls_that_begin_at_once_the_second_is_refused(capsys, data, monkeypatch):
    """Neither has found work of the other; the one whose identity comes first goes on, and loses nothing."""
    begin, seen = ShardSet.begin, []

    def begin_after_another(shards):
        if not seen:
            seen.append(replace(shards, identity={**shards.identity, "asked": {**shards.identity["asked"], "seed": 7}}))
            begin(seen[0])
        begin(shards)

    monkeypatch.setattr(ShardSet, "begin", begin_after_another)
    assert "work of another run (another seed)" in complains(capsys, *caption(data, data / "out.json"))
    assert [path.name for path in (data / "out.json.partial").iterdir()] == ["identity.json"]


def test_results_that_another_call_has_written_meanwhile_are_not_said_to_be_ours(capsys, data, monkeypatch):
    assert bench(capsys, *caption(data, data / "other.json", "--seed", 1))[0] == 0
    read_photo = photos.read_photo

    def finished_by_another(path, size):
        for name in ("{}.made-by.json", "{}.json"):
            shutil.copy(data / name.format("other"), data / name.format("out"))
        return read_photo(path, size)

    monkeypatch.setattr(describe, "read_photo", finished_by_another)
    assert "out.json: exists already" in complains(capsys, *caption(data, data / "out.json", "--batch-size", 1))
    assert (data / "out.json").read_bytes() == (data / "other.json").read_bytes()


def test_a_call_killed_at_its_end_leaves_no_work_behind_when_it_is_made_again(capsys, data, monkeypatch):
    """After the results were written and before the shards were removed; temporary files go, too."""
    with monkeypatch.context() as patch:
        patch.setattr(ShardSet, "discard", lambda shards: (_ for _ in ()).throw(KeyboardInterrupt))
        assert bench(capsys, *caption(data, data / "out.json"))[0] == 130
    assert (data / "out.json.partial").is_dir()
    for name in ("out.json", "out.made-by.json"):
        (data / f".{name}.{HOST}.4194305.0123abcd.tmp").touch()  # no process has this number
    assert bench(capsys, *caption(data, data / "out.json"))[0] == 0
    assert not list(data.glob("*.partial"))
    assert not list(data.glob(".*"))


def test_a_damaged_shard_of_texts_is_made_again(capsys, data, monkeypatch):
    """Cut short while the run was down; a damaged or foreign folder of unfinished work is one line."""
    assert bench(capsys, *caption(data, data / "whole.json"))[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(describe, "write_results", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        assert bench(capsys, *caption(data, data / "out.json"))[0] == 130
    shard, identity = (data / "out.json.partial" / name for name in ("000001.safetensors", "identity.json"))
    shard.write_bytes(shard.read_bytes()[:-9])
    said = identity.read_text()
    identity.write_text("{")
    assert "identity.json is damaged" in complains(capsys, *caption(data, data / "out.json"))
    identity.write_text(said)
    status, out, err = bench(capsys, *caption(data, data / "out.json"))
    assert (status, err) == (0, "")
    assert "shard 1 of out.json.partial: unreadable" in out
    assert (data / "out.json").read_bytes() == (data / "whole.json").read_bytes()
    assert not list(data.glob("*.partial"))


def test_images_that_cannot_be_read_are_named_and_counted(capsys, data):
    """Nothing is written unless they may be skipped; then what made the file names them, and the others are scored."""
    (data / "images" / NAMES[1]).unlink()
    whole = (data / "images" / NAMES[3]).read_bytes()
    (data / "images" / NAMES[3]).write_bytes(whole[: len(whole) // 2])
    before = sorted(data.iterdir())
    line = complains(capsys, *caption(data, data / "out.json"))
    assert "2 of 5 images cannot be read" in line
    assert f"(first: {NAMES[1]}: no such file; {NAMES[3]}: " in line
    assert "--skip-unreadable" in line
    assert sorted(data.iterdir()) == before
    status, said, _ = bench(capsys, *caption(data, data / "out.json", "--skip-unreadable"))
    assert status == 0
    assert "2 of 5 images cannot be read" in said
    assert "2 left out" in said
    assert [entry["image_id"] for entry in json.loads((data / "out.json").read_text())] == [10, 30, 50]
    assert list(json.loads((data / "out.made-by.json").read_text())["unreadable_images"]) == [NAMES[1], NAMES[3]]
    call = ("score", "captions", data / "out.json", "--annotations", data / "captions.json")
    assert "2 of 5 image ids have no result (first: 20, 40)" in complains(capsys, *call)
    empty = data / "empty"
    empty.mkdir()
    line = complains(capsys, *caption(data, data / "o.json", "--images", empty, "--skip-unreadable"))
    assert "5 of 5 images cannot be read" in line


def question_files(folder, name):
    """What `--questions` and `--annotations` of this format are, two questions to each image of `data`."""
    asked = [(2 * i + k, i, question) for i in range(NUM_IMAGES) for k, question in enumerate(QUESTIONS)]
    ten = [{"answer": "yes"}] * 10
    if name == "vqa-v2":
        questions = [{"question_id": n, "image_id": i + 1, "question": text} for n, i, text in asked]
        truths = [{"question_id": n, "answer_type": "other", "answers": ten} for n, _, _ in asked]
        write(folder / "q.json", {"data_subtype": "val2014", "questions": questions})
        return folder / "q.json", write(folder / "a.json", {"annotations": truths})
    if name == "vizwiz":  # one question to each image
        entries = [{"image": n, "question": QUESTIONS[0], "answers": ten, "answerable": 1} for n in NAMES]
        return write(folder / "q.json", entries), None
    if name == "gqa":
        stems = [image.removesuffix(".jpg") for image in NAMES]
        entries = {str(n): {"imageId": stems[i], "question": text, "answer": "yes"} for n, i, text in asked}
        return write(folder / "q.json", entries), None
    if name == "pope":
        lines = [{"question_id": n, "image": NAMES[i], "text": text, "label": "yes"} for n, i, text in asked]
        return write(folder / "q.json", "\n".join(map(json.dumps, lines))), None
    (folder / "images").rename(folder / "existence")  # of MME the images lie beside the questions
    for image in NAMES:
        write(folder / "existence" / image.replace(".jpg", ".txt"), "".join(f"{text}\tYes\n" for text in QUESTIONS))
    return folder, None


@pytest.mark.parametrize("name", ["vqa-v2", "vizwiz", "gqa", "pope", "mme"])
def test_answers_to_every_format_are_scored(capsys, data, name):
    """One answer per question under the format's own keys, and `score vqa` takes them with the same files."""
    questions, annotations = question_files(data, name)
    images = ("--images", data / "images") if name != "mme" else ()
    call = ("answer", "ar-vlm-digits", "--questions", questions, *images, "--out", data / "out.json", "--device", "cpu")
    status, _, err = bench(capsys, *call)
    assert status == 0, err
    detected, asked = load_question_set(questions, annotations)
    assert detected == name
    entries = json.loads((data / "out.json").read_text())
    assert {tuple(entry) for entry in entries} == {(*RESULT_KEYS[name], "finish")}
    assert list(load_results(data / "out.json", name, asked)) == list(asked.questions)
    truths = ("--annotations", annotations) if annotations else ()
    status, _, err = bench(capsys, "score", "vqa", data / "out.json", "--questions", questions, *truths)
    assert status == 0, err


def test_a_question_is_put_as_the_released_weights_know_it(monkeypatch, data):
    """The authors' script wraps a question, VizWiz's with a way out; 32 steps and 128 tokens; scenes are asked bare."""
    tasks = []
    monkeypatch.setattr(describe, "describe", lambda model, task, options: tasks.append(task))
    options = describe.Options(images=data / "images", out=data / "out.json")
    for name in ("vqa-v2", "vizwiz"):
        questions, _ = question_files(data, name)
        for model in ("d-dit-512", "d-dit-digits"):
            describe.write_answers(model, questions, options)
    first = [next(iter(task.prompt_by_id.values())) for task in tasks]
    wrapped = f"Q: {QUESTIONS[0]} Answer the question using a single word or phrase. "
    assert first[0] == f"{wrapped}A: "
    assert first[2] == f"{wrapped}Reply unanswerable if information is not present in the image. A: "
    assert first[1] == first[3] == QUESTIONS[0]
    released = describe.settings_of(describe.reader("d-dit-512"), "answers", options)
    assert (released["num_steps"], released["length"]) == (32, 128)


def test_wrong_calls_are_one_line(capsys, data):
    """Each names what is wrong and what there is, before anything is written."""
    before = sorted(data.iterdir())
    out = data / "out.json"
    assert "reads no images; models that do: d-dit-256" in complains(capsys, *caption(data, out, model="dit-digits"))
    assert "leave out --steps" in complains(capsys, *caption(data, out, model="ar-vlm-digits"))
    assert "leave out --mean-latents" in complains(capsys, *caption(data, out), "--mean-latents")
    assert "no such folder" in complains(capsys, *caption(data, out, "--images", data / "no"))
    assert "its folder does not exist" in complains(capsys, *caption(data, data / "no" / "out.json"))
    assert "unknown dtype 'int8'; known: float32" in complains(capsys, *caption(data, out, "--dtype", "int8"))
    assert "exists already" in complains(capsys, *caption(data, data / "captions.json"))
    assert "pass --weights FOLDER (released at huggingface.co/JleeOfficial" in complains(
        capsys, *caption(data, out, model="d-dit-512")
    )
    line = complains(capsys, *caption(data, out, "--weights", data, model="d-dit-512"))
    assert "lacks transformer, vae, text_encoder, tokenizer" in line
    assert sorted(data.iterdir()) == before
    nameless = write(data / "nameless.json", {"annotations": [{"image_id": 7, "caption": "a"}]})
    line = complains(capsys, *caption(data, out, "--annotations", nameless))
    assert "1 of 1 images have no 'file_name' under 'images' (first: 7)" in line
    asked = {"questions": [{"question_id": 1, "image_id": 1, "question": "is there a dog?"}]}
    call = ("answer", "d-dit-digits", "--questions", write(data / "q.json", asked), "--images", data / "images")
    assert "unknown word 'dog'" in complains(capsys, *call, "--out", out)
    assert "--format names one" in complains(
        capsys, "answer", "d-dit-digits", "--questions", write(data / "list.json", "[1]"), "--out", out
    )
    broken = write(data / "broken.json", '{"images": [')
    line = complains(capsys, *caption(data, out, "--annotations", broken))
    assert "broken.json: not JSON: Expecting value at line 1 column 13" in line
    assert not out.exists()


@pytest.mark.parametrize("door", ["caption", "answer"])
def test_both_doors_have_help_with_an_example(capsys, door):
    status, out, _ = bench(capsys, door, "--help")
    assert status == 0
    assert f"Example: python -m bench {door} d-dit-512" in " ".join(out.split())


def test_a_disk_without_room_for_the_texts_is_known_before_the_first(capsys, data, monkeypatch):
    monkeypatch.setattr(files, "_free_bytes", lambda folder: 10_000.0)
    monkeypatch.setattr(describe, "store_texts", None)
    before = sorted(data.iterdir())
    line = complains(capsys, *caption(data, data / "out.json"), status=1)
    assert "--out: needs about 0.0" in line
    assert sorted(data.iterdir()) == before
