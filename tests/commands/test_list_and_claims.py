"""`bench list claims` finds a printed number; `bench claims FILE` lists or complains, a line per mistake."""

from __future__ import annotations

import json
import re

import pytest

from bench.claims.ledger import ledger
from bench.records.json_files import read_json
from tests.claims_file import CLAIM, SOURCE
from tests.command_line import bench, complains, write
from tests.paths import ROOT


def rows(out: str) -> dict[str, str]:
    """The lines of a table of claims by their first word."""
    return {line.split()[0]: line for line in out.splitlines()[2:] if line.strip() and not line.startswith(" ")}


def test_every_claim_of_a_paper_a_model_or_a_metric_is_listed_and_no_other(capsys):
    status, out, _ = bench(capsys, "list", "claims")
    assert status == 0
    assert rows(out).keys() == {claim.id for claim in ledger()}
    for option, asked, field in (
        ("--model", "var-d36", lambda c: {c.paper_scale.subject, *c.paper_scale.baselines}),
        ("--metric", "sfid", lambda c: {c.paper_scale.metric}),
        ("--paper", "SiT (arXiv 2401.08740)", lambda c: {c.source.paper}),
    ):
        _, out, _ = bench(capsys, "list", "claims", option, asked)
        assert rows(out).keys() == {claim.id for claim in ledger() if asked in field(claim)}


def test_dit_is_no_part_of_d_dit(capsys):
    _, by_name, _ = bench(capsys, "list", "claims", "--paper", "dit")
    _, by_number, _ = bench(capsys, "list", "claims", "--paper", "2212.09748")
    assert rows(by_name).keys() == rows(by_number).keys()


def test_a_row_tells_number_tolerance_protocol_settings_standing_source_and_conflict(capsys):
    _, out, _ = bench(capsys, "list", "claims", "--model", "sit-xl-2", "--metric", "inception_score")
    row = rows(out)["sit-xl-2-inception-score-table-7-sde"]
    for words in ("277.50", "±2 %", "imagenet-256-quality sampler=sde", "authors", "SiT (arXiv 2401.08740), table 7"):
        assert words in row
    assert "sit-xl-2-inception-score-readme-sde" in row


def test_json_holds_all_that_is_known(capsys, tmp_path):
    bench(capsys, "list", "claims", "--model", "mar-l", "--json", tmp_path / "claims.json")
    by_id = {claim["id"]: claim for claim in json.loads((tmp_path / "claims.json").read_text())}
    assert "50 per class" in by_id["mar-l-fid-table-4"]["source"]["conditions"]
    assert by_id["mar-l-recall-table-4"]["quote"] == "0.60"
    assert "folder" in complains(capsys, "list", "claims", "--json", tmp_path / "none" / "x.json")


@pytest.mark.parametrize(
    ("word", "title"),
    [("models", "Models"), ("metrics", "Metrics"), ("protocols", "Protocols"), ("settings", "Settings")],
)
def test_one_kind_is_listed_alone_as_it_is_among_all(capsys, word, title):
    _, everything, _ = bench(capsys, "list")
    _, one, _ = bench(capsys, "list", word)
    assert one.startswith(f"{title} (")
    assert one.strip() in everything


def test_wrong_words_name_what_exists(capsys):
    assert "known: models, metrics, claims" in complains(capsys, "list", "modles")
    assert "there are: fid" in complains(capsys, "list", "claims", "--metric", "fidd")
    assert "transdiff-h" in complains(capsys, "list", "claims", "--model", "nix")
    assert "--paper chooses claims, not models" in complains(capsys, "list", "models", "--paper", "MAR")


def test_a_model_is_found_at_all_its_sizes_and_as_papers_spell_it(capsys):
    """VAR's table 2 prints DiT-XL/2 at 512 pixels under the name that its table 1 has for 256."""
    found = {}
    for asked in ("dit-xl-2", "DiT-XL/2", "dit-xl-2-512"):
        found[asked] = rows(bench(capsys, "list", "claims", "--model", asked)[1]).keys()
    assert found["dit-xl-2"] == found["DiT-XL/2"] >= found["dit-xl-2-512"] | {"dit-xl-2-fid-table-2"}
    assert "dit-xl-2-512-fid-var-table-2" in found["dit-xl-2-512"]
    assert "dit-xl-2-fid-table-2" not in found["dit-xl-2-512"]
    of_l = rows(bench(capsys, "list", "claims", "--model", "transdiff-l")[1]).keys()
    assert "transdiff-l-512-fid-readme" in of_l
    assert "transdiff-mrar-l-fid-readme" not in of_l


def test_published_settings_are_listed_with_what_else_is_printed(capsys):
    out = " ".join(bench(capsys, "list", "settings")[1].split())
    assert "also printed: scale_0 0.91, scale_1 0.93" in out
    assert "more_smooth=False" in out


def test_a_file_of_claims_is_listed_beside_what_others_print(capsys, tmp_path):
    status, out, _ = bench(capsys, "claims", write(tmp_path / "mine.toml", SOURCE + CLAIM))
    assert status == 0
    assert rows(out).keys() == {"mar-l-fid-mine", "mar-l-fid-table-4", "mar-l-fid-readme"}
    _, out, _ = bench(capsys, "list", "claims", "--claims", tmp_path / "mine.toml", "--paper", "Mine")
    assert rows(out).keys() == {"mar-l-fid-mine"}


def test_each_mistake_is_a_line_of_its_own_and_the_status_is_2(capsys, tmp_path):
    file = write(tmp_path / "mine.toml", SOURCE + CLAIM.replace("1.95", "?").replace('"mar-l"', '"mar-x"'))
    status, out, err = bench(capsys, "claims", file)
    assert (status, out) == (2, "")
    assert err.count("\n") == 2
    assert all(line.startswith(f"bench: {file}: claim 1 ('mar-l-fid-mine'): ") for line in err.splitlines())
    assert "No such file" in complains(capsys, "claims", tmp_path / "none.toml")


def test_markup_in_a_users_text_is_shown_as_text(capsys, tmp_path):
    """In a cell and in the title, without a backslash that nobody wrote."""
    file = write(tmp_path / "[red]mine.toml", SOURCE.replace('"Mine"', '"[red]Mine[/red]"') + CLAIM)
    _, out, _ = bench(capsys, "claims", file)
    assert "[red]Mine[/red]" in out
    assert str(file) in out
    assert "\\" not in out


def test_from_a_claim_to_its_record_to_its_number(capsys):
    """README: the claim, its verdict with the record behind it, the record's number: the same file in the last two."""
    chosen = ("--model", "transdiff-l", "--metric", "latency_s")
    results = ("--results", ROOT / "results")
    _, verdicts, _ = bench(capsys, "list", "claims", *chosen, *results)
    rows = [line for line in verdicts.splitlines() if re.match(r"transdiff-latency-diffusion +imagenet-256", line)]
    (row,) = (line for line in rows if "amd-epyc-2c" in line)
    file = row.split()[-1]
    pair = read_json(ROOT / "results" / file)["speedups"]
    ratios = [entry["ratio"]["value"] for entry in pair if entry["baseline"] in ("dit-xl-2", "sit-xl-2")]
    assert f"{min(ratios):.2f} times (" in row
    _, records, _ = bench(capsys, "list", "records", *chosen, *results)
    (row,) = (line for line in records.splitlines() if line.startswith("transdiff-l "))
    measured = read_json(ROOT / "results" / row.split()[-1])["measurements"]["latency_s"]
    assert f" {measured['value']:.0f} s ({measured['ci_low']:.0f} to {measured['ci_high']:.0f}) " in row


@pytest.mark.parametrize("option", ["--model", "--metric"])
def test_records_of_an_unknown_name_are_one_line_that_says_what_there_is(capsys, option):
    said = complains(capsys, "list", "records", "--results", ROOT / "results", option, "dit-xl-3")
    assert "'dit-xl-3'" in said
    assert ("transdiff-l" if option == "--model" else "latency_s") in said
