"""Several machines on one page, and what changed since the committed report."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from bench.analysis.evidence import read_evidence
from bench.analysis.machines import times_longer
from bench.report import render
from bench.report.changes import other_machines, since_words
from bench.report.reading import Found, by_machines
from tests.fake_records import ENVIRONMENT, full_set, latency, quality
from tests.pages import NOW, text_of, write

OLDER = {
    "environment": replace(ENVIRONMENT, machine="committed-4c"),
    "created_utc": "2026-01-01T00:00:00+00:00",
}


def lines(records):
    return [line["words"] for line in other_machines(Found(by_machines(records), ()))]


def test_the_machine_that_measured_last_answers_and_the_other_is_a_line():
    slow = [latency(model, 2.5 * s, **OLDER) for model, s in (("transdiff-digits", 0.081), ("dit-digits", 0.22))]
    (line,) = lines([*full_set(), *full_set(**OLDER)[:4], *slow])
    assert line.startswith("same words for all ")
    assert line.endswith("times 2.5 times longer")


def test_another_word_is_named_with_both():
    worse = [quality("transdiff-digits", 9.0, inception_score=5.0, **OLDER), *full_set(**OLDER)[2:4]]
    (line,) = lines([*full_set(), *worse])
    assert "transdiff-inception-score (holds in small → does not hold in small)" in line


def test_a_machine_that_is_faster_takes_shorter_times_and_no_pair_says_nothing():
    ours = [latency("dit-digits", 0.2), latency("mar-digits", 0.2)]
    theirs = [latency("dit-digits", 0.1, **OLDER), latency("mar-digits", 0.05, **OLDER)]
    (line,) = lines([*ours, *theirs])
    assert "times 2.7 times shorter (2 to 4 by model)" in line
    for other, words in ((0.202, "times alike"), (0.18, "times alike (0.9 to 1 times as long by model)")):
        (line,) = lines([*ours, latency("dit-digits", 0.204, **OLDER), latency("mar-digits", other, **OLDER)])
        assert line.endswith(words)
    assert times_longer(ours, [latency("sit-digits", 0.1)]) is None
    smoke = [latency("dit-digits", 0.1, quick=True)]
    assert times_longer(ours, smoke) is None


def test_one_machine_has_no_line():
    assert lines(full_set()) == []
    assert lines([]) == []


# -- since the committed report ----------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path):
    """A git repository with a committed report; `render` it again with other records."""

    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    page = tmp_path / "reports" / "index.html"
    render([write(tmp_path, full_set())], page, now=NOW)
    git("init", "-q")
    git("add", "reports")
    git("commit", "-qm", "report")
    return page


def test_an_unchanged_report_says_nothing_of_changes_and_is_the_same_twice(repository):
    before = repository.read_bytes()
    assert render([repository.parents[1] / "results"], repository, now=NOW).read_bytes() == before
    assert b'class="note since"' not in before


def test_verdicts_that_turned_and_new_records_are_one_line_however_often_it_is_rendered(repository):
    later = quality("transdiff-digits", 50.0, inception_score=1.0, created_utc="2026-03-01T00:00:00+00:00")
    results = write(repository.parents[1], [later])
    for _ in range(2):
        said = text_of(render([results], repository, now=NOW).read_text())
        assert "Since the committed report: " in said
        assert "transdiff-inception-score at digits on acme-cpu-2c (holds in small → does not hold in small)" in said
        assert "1 new record; 1 record gone or superseded." in said


def test_without_an_earlier_report_nothing_is_said(repository, tmp_path):
    now = read_evidence(repository)
    assert since_words(None, now) == ""
    assert since_words(now, now) == ""
