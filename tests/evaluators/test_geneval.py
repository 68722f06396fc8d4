"""`score geneval`: the results file of GenEval's evaluator, its scores, a record of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bench.protocols import PROTOCOLS
from bench.report import render
from tests.command_line import bench, complains, write
from tests.stand_ins import geneval_prompts, geneval_results, give_geneval, only_record, use_assets


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return use_assets(monkeypatch, tmp_path)


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
    found = only_record(tmp_path / "results")
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
