"""Options: none is ignored without a word, none has an empty value."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench.commands import app
from bench.records.store import save_record
from tests.command_line import bench, complains
from tests.fake_records import quality, ratios


def the_command(name):
    """As the command line finds it."""
    made = app.application()
    for word in name.split():
        made = made.get_command(None, word)
    return made


@pytest.mark.parametrize("name", app.COMMANDS)
def test_no_command_takes_an_empty_value(capsys, tmp_path, monkeypatch, name):
    """It would be the current folder as a path, and comes of a variable that is not set."""
    monkeypatch.chdir(tmp_path)
    params = [param for param in the_command(name).params if not getattr(param, "is_flag", False)]
    needed = {param.name: [*param.opts[:1], "x"] for param in params if param.required}
    needed = {key: words if words[0].startswith("-") else words[1:] for key, words in needed.items()}
    for param in params:
        word = max(param.opts, key=len)
        is_option = word.startswith("--")
        own = {param.name: [f"{word}="] if is_option else [""]}
        arguments = [one for words in (needed | own).values() for one in words]
        line = complains(capsys, *name.split(), *arguments)
        assert "an empty value" in line
        assert (word if is_option else word.upper()) in line or param.metavar in line
    assert not list(tmp_path.iterdir())


IGNORED = [  # a call, and the option that would do nothing in it
    (["train", "dit-digits", "--checkpoint-minutes", 5], "--checkpoint-minutes"),
    (["train", "dit-digits", "--accumulate", 1], "--accumulate"),
    (["train", "dit-digits", "--mirror"], "--mirror"),
    (["train", "dit-digits", "--no-mirror"], "--no-mirror"),
    (["train", "dit-digits", "--results", "elsewhere"], "--results"),
    (["work", "--quick", "--slurm-gpus", 2], "--slurm-gpus"),
    (["work", "--quick", "--slurm-partition", "gpu"], "--slurm-partition"),
    (["work", "--quick", "--slurm-hours", 2], "--slurm-hours"),
    (["fetch", "--list", "kl-16"], "kl-16"),
    (["fetch", "--list", "--accept"], "--accept"),
    (["list", "records", "--json", "x.json"], "--json"),
    (["list", "records", "--paper", "VAR"], "--paper"),
    (["score", "images", "i", "--reference", "digits-train", "--results", "elsewhere"], "--results"),
    (["score", "geneval", "i", "--results", "elsewhere"], "--results"),
    (["score", "images", "i", "--save-statistics", "s.npz", "--classes", 10], "--classes"),
    (["score", "images", "i", "--save-statistics", "s.npz", "--also", "sfid"], "--also"),
    (["score", "images", "s.npz", "--reference", "s.npz", "--features", "digits"], "--features"),
    (["score", "images", "s.npz", "--reference", "s.npz", "--weights", "w"], "--weights"),
]


@pytest.mark.parametrize(("arguments", "option"), IGNORED, ids=[" ".join(map(str, one)) for one, _ in IGNORED])
def test_an_option_that_would_do_nothing_is_refused(capsys, tmp_path, monkeypatch, arguments, option):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "s.npz", mu=np.zeros(4), sigma=np.eye(4))
    assert option in complains(capsys, *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["s.npz"]


def test_claims_with_their_verdicts_are_written_with_them(capsys, tmp_path):
    made = [quality("dit-digits", 2.2), ratios("transdiff-digits", {"dit-digits": 2.8, "sit-digits": 3.1})]
    for record in made:
        save_record(record, tmp_path / "results")
    arguments = ["list", "claims", "--model", "transdiff-l", "--json", tmp_path / "c.json"]
    assert bench(capsys, *arguments)[0] == 0
    plain = json.loads((tmp_path / "c.json").read_text())
    assert all("verdicts" not in claim for claim in plain)
    assert bench(capsys, *arguments, "--results", tmp_path / "results")[0] == 0
    found = json.loads((tmp_path / "c.json").read_text())
    words = {verdict["word"] for claim in found for verdict in claim["verdicts"]}
    assert {"not run", "holds in small"} <= words
    assert [{k: v for k, v in claim.items() if k != "verdicts"} for claim in found] == plain
