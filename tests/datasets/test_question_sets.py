"""Readers of the official layouts: every field arrives, images are named, and each kind of wrong file is one line."""

from __future__ import annotations

import json

import pytest

from bench.datasets import coco_captions, mme, question_sets, vqa_v2
from bench.datasets.json_files import load_json
from bench.datasets.question_formats import detect_format, load_question_set
from bench.errors import UsageError
from tests.command_line import write

TEN = [{"answer": "yes", "answer_confidence": "maybe", "answer_id": i} for i in range(1, 11)]
VQA_QUESTIONS = {
    "info": {},
    "task_type": "Open-Ended",
    "data_type": "mscoco",
    "data_subtype": "val2014",
    "questions": [{"image_id": 262148, "question": "Is it real?", "question_id": 262148000}],
}
VQA_ANNOTATIONS = {
    "data_subtype": "val2014",
    "annotations": [
        {
            "question_type": "is it",
            "multiple_choice_answer": "yes",
            "answers": TEN,
            "image_id": 262148,
            "answer_type": "yes/no",
            "question_id": 262148000,
        }
    ],
}
OKVQA_ANNOTATIONS = {
    "question_types": {"one": "Vehicles and Transportation"},
    "annotations": [
        {
            "image_id": 262148,
            "question_id": 262148000,
            "answer_type": "other",
            "question_type": "one",
            "answers": [{**one, "answer": "race", "raw_answer": "racing"} for one in TEN],
        }
    ],
}
POPE = [
    {"question_id": 1, "image": "COCO_val2014_000000310196.jpg", "text": "Is there a snowboard?", "label": "yes"},
    {"question_id": 2, "image": "COCO_val2014_000000310196.jpg", "text": "Is there a car?", "label": "no"},
]
GQA = {
    "201307251": {
        "imageId": "n161313",
        "question": "Is it overcast?",
        "answer": "no",
        "isBalanced": True,
        "types": {"structural": "verify", "semantic": "global", "detailed": "weatherVerify"},
    }
}
VIZWIZ = [
    {
        "image": "VizWiz_val_00000000.jpg",
        "question": "What is this?",
        "answers": [{"answer": "basil", "answer_confidence": "yes"}] * 10,
        "answer_type": "other",
        "answerable": 1,
    }
]


def lines(entries):
    return "\n".join(map(json.dumps, entries)) + "\n"


def of_file(read, role="questions"):
    """A function of a file's content, as one of the file."""
    return lambda path: read(load_json(path, role), path)


vqa_questions, vqa_annotations = of_file(vqa_v2.read_questions), of_file(vqa_v2.read_annotations, "annotations")
pope, gqa, vizwiz = map(of_file, (question_sets.read_pope, question_sets.read_gqa, question_sets.read_vizwiz))


def test_vqa_v2(tmp_path):
    """Ten answers, both kinds, and COCO's file name of the image; test-dev questions are about test images."""
    questions = vqa_questions(write(tmp_path / "q.json", VQA_QUESTIONS))
    truths = vqa_annotations(write(tmp_path / "a.json", VQA_ANNOTATIONS))
    (asked,) = questions.values()
    assert (asked.question, asked.file_name) == ("Is it real?", "COCO_val2014_000000262148.jpg")
    assert truths[262148000].answers == ("yes",) * 10
    assert truths[262148000].kinds == {"answer_type": "yes/no", "question_type": "is it"}
    assert vqa_v2.coco_file_name(1, "test-dev2015") == "COCO_test2015_000000000001.jpg"


def test_a_question_may_name_its_image(tmp_path):
    """Images that are no COCO photographs, as scenes, are named in the question itself."""
    entry = {**VQA_QUESTIONS["questions"][0], "file_name": "000003.png"}
    questions = vqa_questions(write(tmp_path / "q.json", {**VQA_QUESTIONS, "questions": [entry]}))
    assert questions[262148000].file_name == "000003.png"


def test_okvqa_is_told_from_vqa_v2_by_its_raw_answers(tmp_path):
    """The stemmed answer counts; question types come by their names."""
    paths = write(tmp_path / "q.json", VQA_QUESTIONS), write(tmp_path / "a.json", OKVQA_ANNOTATIONS)
    name, found = load_question_set(*paths)
    assert name == "okvqa"
    assert found.truths[262148000].answers == ("race",) * 10
    assert found.truths[262148000].kinds["question_type"] == "Vehicles and Transportation"


def test_pope_is_one_object_per_line(tmp_path):
    found = pope(write(tmp_path / "coco_pope_random.json", lines(POPE)))
    assert [asked.question for asked in found.questions.values()] == ["Is there a snowboard?", "Is there a car?"]
    assert found.questions[1].file_name == "COCO_val2014_000000310196.jpg"
    assert [truth.answers for truth in found.truths.values()] == [("yes",), ("no",)]
    alone = pope(write(tmp_path / "one.json", lines(POPE[:1])))
    assert list(alone.questions) == [1]


def test_popes_own_answers_come_in_the_order_of_the_questions(tmp_path):
    """Without ids they are taken in order, if the questions are the same; with ids in any order."""
    questions = pope(write(tmp_path / "q.json", lines(POPE))).questions
    own = [{"question": entry["text"], "answer": f"said {i}"} for i, entry in enumerate(POPE)]
    found = question_sets.load_pope_results(write(tmp_path / "r.json", lines(own)), questions)
    assert {question_id: text.text for question_id, text in found.items()} == {1: "said 0", 2: "said 1"}
    ours = [{"question_id": 2, "answer": "b"}, {"question_id": 1, "answer": "a"}]
    found = question_sets.load_pope_results(write(tmp_path / "r.json", ours), questions)
    assert found[1].text == "a"
    with pytest.raises(UsageError, match=r"entry 0 answers 'Is there a car\?', the question is"):
        question_sets.load_pope_results(write(tmp_path / "r.json", lines(own[::-1])), questions)
    with pytest.raises(UsageError, match="1 answers without ids to 2 questions"):
        question_sets.load_pope_results(write(tmp_path / "r.json", own[:1]), questions)


def test_gqa(tmp_path):
    found = gqa(write(tmp_path / "q.json", GQA))
    assert found.questions["201307251"].file_name == "n161313.jpg"
    assert found.truths["201307251"].answers == ("no",)
    assert found.truths["201307251"].kinds == {"structural_type": "verify", "semantic_type": "global"}
    results = [{"questionId": 201307251, "prediction": "no"}]
    assert question_sets.load_gqa_results(write(tmp_path / "r.json", results))["201307251"].text == "no"


def test_gqa_refuses_unbalanced_questions(tmp_path):
    """The official accuracy is over balanced questions; a file with others would be another number."""
    unbalanced = {**GQA, "7": {**GQA["201307251"], "isBalanced": False}}
    with pytest.raises(UsageError, match="1 of 2 questions are not balanced"):
        gqa(write(tmp_path / "q.json", unbalanced))


def test_vizwiz(tmp_path):
    found = vizwiz(write(tmp_path / "val.json", VIZWIZ))
    assert found.questions["VizWiz_val_00000000.jpg"].question == "What is this?"
    assert found.truths["VizWiz_val_00000000.jpg"].answers == ("basil",) * 10
    assert found.truths["VizWiz_val_00000000.jpg"].kinds == {"answer_type": "other", "answerable": "1"}
    results = [{"image": "VizWiz_val_00000000.jpg", "answer": "basil", "answerable": 0.25, "finish": "end"}]
    (text,) = question_sets.load_vizwiz_results(write(tmp_path / "r.json", results)).values()
    assert (text.text, text.answerable, text.finish) == ("basil", 0.25, "end")


def test_mme_in_all_three_layouts(tmp_path):
    """Texts beside the images, in a folder of their own, and the evaluation tool's template hold the same questions."""
    asked = "Is there a dog? Please answer yes or no.\tYes\nIs there a car? Please answer yes or no.\tNo\n"
    beside = tmp_path / "release" / "existence"
    beside.mkdir(parents=True)
    write(beside / "000000006040.txt", asked)
    (beside / "000000006040.png").touch()
    apart = tmp_path / "release" / "posters"
    (apart / "images").mkdir(parents=True)
    (apart / "questions_answers_YN").mkdir()
    write(apart / "questions_answers_YN" / "tt1.txt", asked)
    found = mme.load_mme(tmp_path / "release")
    assert list(found.questions) == [
        f"{image}/{k}" for image in ("existence/000000006040", "posters/tt1") for k in (1, 2)
    ]
    assert found.questions["existence/000000006040/1"].file_name == "existence/000000006040.png"
    assert found.questions["posters/tt1/2"].file_name == "posters/images/tt1.jpg"
    assert found.truths["posters/tt1/2"].answers == ("no",)

    template = tmp_path / "template"
    template.mkdir()
    write(template / "existence.txt", "".join(f"000000006040.png\t{line}\n" for line in asked.splitlines()))
    again = mme.load_mme(template)
    assert again.questions["existence/000000006040/2"] == found.questions["existence/000000006040/2"]

    results = tmp_path / "results"
    results.mkdir()
    rows = [f"000000006040.png\t{line}\tanswer {i}" for i, line in enumerate(asked.splitlines())]
    write(results / "existence.txt", "\n".join(rows[::-1]))
    texts = mme.load_mme_results(results, again.questions)
    assert texts["existence/000000006040/2"].text == "answer 1"
    write(results / "existence.txt", "\n".join([*rows, rows[0]]))
    with pytest.raises(UsageError, match=r"line 3: 000000006040\.png has no such question, or it is answered twice"):
        mme.load_mme_results(results, again.questions)


def test_coco_captions(tmp_path):
    """Captions in the order of the images; a test split, which lists images alone, can be read for its names."""
    images = [{"id": 9, "file_name": "COCO_val2014_000000000009.jpg"}, {"id": 3, "file_name": "3.png"}]
    captions = [{"image_id": 3, "id": 1, "caption": "a"}, {"image_id": 9, "id": 2, "caption": "b"}]
    captions.append({"image_id": 3, "id": 3, "caption": "c"})
    found = coco_captions.load(write(tmp_path / "a.json", {"images": images, "annotations": captions}))
    assert found.captions_by_image == {9: ("b",), 3: ("a", "c")}
    assert found.file_name_by_image[3] == "3.png"
    assert list(coco_captions.load(write(tmp_path / "t.json", {"images": images})).file_name_by_image) == [9, 3]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (VQA_QUESTIONS, "vqa-v2"),
        (POPE, "pope"),
        (GQA, "gqa"),
        (VIZWIZ, "vizwiz"),
        ([{"question_id": 1, "answer": "no"}], None),
        ([], None),
        ("text", None),
    ],
)
def test_format_is_told_from_the_content(content, name):
    assert detect_format(content) == name


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[\n {"a": 1},\n {"a": }\n]', "not JSON: Expecting value at line 3 column 8"),
        ('{"a": 1}\n{"a": 2\n', "not JSON: Expecting ',' delimiter at line 2 column 8"),
        ('{"a":\n 1}\n]', "not JSON: Extra data at line 3 column 1"),
        ("", "not JSON: Expecting value at line 1 column 1"),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_malformed_json_names_file_and_position(tmp_path, content, message):
    with pytest.raises(UsageError) as caught:
        load_json(write(tmp_path / "bad.json", content), "results")
    assert str(caught.value) == f"results {tmp_path / 'bad.json'}: {message}"


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for path, message in [("binary.json", "not UTF-8"), ("missing.json", "No such file"), ("", "Is a directory")]:
        with pytest.raises(UsageError, match=message):
            load_json(tmp_path / path, "results")


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        (vqa_questions, VQA_ANNOTATIONS, "expected an object with 'questions'.*were two files swapped"),
        (vqa_annotations, VQA_QUESTIONS, "expected an object with 'annotations'.*were two files swapped"),
        (vqa_annotations, [], "holds a list; expected an object with 'annotations'"),
        (
            vqa_annotations,
            {"annotations": [{"question_id": 1, "answers": ["yes"] * 10}]},
            "entry 0 is a str; expected {",
        ),
        (vqa_v2.load_results, VQA_ANNOTATIONS, r"an object that holds data_subtype, annotations; expected a list"),
        (vqa_v2.load_results, [], "an empty list"),
        (vqa_v2.load_results, ["yes"], "entry 0 is a str"),
        (vqa_v2.load_results, [{"question_id": 1}], "entry 0 lacks 'answer'; it holds question_id"),
        (vqa_v2.load_results, [{"question_id": 1, "answer": 2}], "'answer' is 2; expected a string"),
        (vqa_v2.load_results, [{"question_id": 1, "answer": None}], "'answer' is null; expected a string"),
        (vqa_v2.load_results, [{"question_id": True, "answer": "a"}], "'question_id' is true"),
        (vqa_v2.load_results, [{"question_id": 1, "answer": "a"}] * 3, "1 question ids come more than once.*first: 1"),
        (vqa_v2.load_results, [{"question_id": 1, "answer": "a", "finish": "eos"}], "'finish' is 'eos'; expected end,"),
        (coco_captions.load_results, [{"question_id": 1, "answer": "a"}], "entry 0 lacks 'image_id'"),
        (coco_captions.load, {"images": [], "annotations": []}, "an empty list"),
        (coco_captions.load, {"annotations": [{"image_id": 1}]}, "entry 0 lacks 'caption'"),
        (pope, [{**POPE[0], "label": "maybe"}], "'label' is 'maybe'; expected yes or no"),
        (gqa, VIZWIZ, "expected an object of"),
        (mme.load_mme, {}, "MME is a folder"),
    ],
)
def test_another_layout_is_one_line(tmp_path, read, content, message):
    """Whatever the file holds instead, the line says what it is and what was expected."""
    with pytest.raises(UsageError, match=message) as caught:
        read(write(tmp_path / "file.json", content))
    assert "\n" not in str(caught.value)


def test_mme_needs_two_questions_per_image(tmp_path):
    write(tmp_path / "count.txt", "1.jpg\tq\tYes\n1.jpg\tr\tNo\n2.jpg\tq\tYes\n")
    with pytest.raises(UsageError, match=r"1 images have not 2 questions \(first: 'count/2'\)"):
        mme.load_mme(tmp_path)
    write(tmp_path / "count.txt", "1.jpg\tq\n")
    with pytest.raises(UsageError, match=r"count\.txt: line 1 has 2 columns; expected 3 or 4"):
        mme.load_mme(tmp_path)


def test_questions_and_annotations_that_do_not_belong_together(tmp_path):
    """Questions of one split and annotations of another are refused with counts and first ids."""
    other = {"annotations": [{**VQA_ANNOTATIONS["annotations"][0], "question_id": 5}]}
    paths = write(tmp_path / "q.json", VQA_QUESTIONS), write(tmp_path / "a.json", other)
    with pytest.raises(UsageError, match=r"1 annotations are of questions not in .*q\.json \(first: 5\)"):
        load_question_set(*paths)
    with pytest.raises(UsageError, match="--annotations is missing"):
        load_question_set(paths[0], None)
    with pytest.raises(UsageError, match="gqa keeps questions and answers together"):
        load_question_set(write(tmp_path / "g.json", GQA), paths[1])
    with pytest.raises(UsageError, match="unknown format 'vqa'; known: vqa-v2, okvqa"):
        load_question_set(*paths, "vqa")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 1_000_000 + "]" * 1_000_000, "nested too deep"),
        ('[{"question_id": ' + "9" * 5000 + "}]", "a number of more digits"),
        ('{"question_id": 1}\n{"a": ' + "9" * 5000 + "}", "line 2: holds a number of more digits"),
        ('{"question_id": 1}\n' + '{"a":' * 200_000, "line 2: nested too deep"),
        ("[" * 100 + "]" * 100, "nested deeper than 64 levels"),
        ('[{"image_id": 1e999}]', "holds 1e999, which is no finite number"),
        ('[{"area": NaN}]', "holds NaN"),
        ('{"area": -Infinity}', "holds -Infinity"),
        (f'{{"question_id": 1}}\n{{"question_id": {2**64}}}', "line 2: holds an integer of more than 64 bits"),
    ],
)
def test_hostile_json_is_one_line(tmp_path, content, message):
    """A million brackets and a number of 5,000 digits, in a file and in a line of a file."""
    with pytest.raises(UsageError, match=message) as caught:
        load_json(write(tmp_path / "a.json", content), "results")
    assert "\n" not in str(caught.value)
