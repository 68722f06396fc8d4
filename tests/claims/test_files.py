"""Claims from a user's file: the same claims as the built-in tables make, and one line for each mistake."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.claims.files import MOST_BYTES, Known, check_claims, claims_in_use
from bench.claims.ledger import ledger, table_claims
from bench.commands.claims import known_names
from bench.errors import UsageError
from bench.verdict.judge import judge
from tests.claims_file import CLAIM, SOURCE
from tests.fake_records import quality

KNOWN = Known(("mar-l", "var-d30", "dit-xl-2"), {"digits-quality": ("digits", ("fid", "precision"))})


def mistakes_of(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "claims.toml"
    file.write_text(text)
    return check_claims(file, KNOWN)[1]


def test_a_row_in_a_file_makes_the_claim_that_a_row_of_a_table_makes(tmp_path):
    """MAR's table 4 written as TOML gives the built-in claim, to the last field."""
    built_in = next(claim for claim in table_claims() if claim.id == "mar-l-fid-table-4-no-guidance")
    file = tmp_path / "claims.toml"
    file.write_text(f"""
[[sources]]
key = "x"
paper = "{built_in.source.paper}"
where = "{built_in.source.where}"
url = "{built_in.source.url}"
standing = "{built_in.source.standing}"
conditions = "{built_in.source.conditions}"

[[claims]]
id = "{built_in.id}"
model = "mar-l"
metric = "fid"
printed = "2.60"
protocol = "imagenet-256-no-guidance-quality"
settings = {{ cfg_scale = 1.0 }}
source = "x"
""")
    assert check_claims(file, KNOWN, taken=()) == ((built_in,), [])


def test_a_claim_of_a_user_is_linked_with_those_it_contradicts(tmp_path, monkeypatch):
    file = tmp_path / "claims.toml"
    file.write_text(SOURCE + CLAIM)
    by_id = {claim.id: claim for claim in claims_in_use([file], KNOWN)}
    assert by_id["mar-l-fid-mine"].conflicts_with == ("mar-l-fid-readme", "mar-l-fid-table-4")
    assert by_id["mar-l-fid-table-4"].conflicts_with == ("mar-l-fid-mine",)
    assert len(by_id) == len(ledger()) + 1
    monkeypatch.setenv("ARBITER_CLAIMS", os.pathsep.join([str(file), str(file)]))
    assert {claim.id: claim for claim in claims_in_use(known=KNOWN)} == by_id, "named twice, taken once"


def test_without_files_the_claims_in_use_are_the_ledger(monkeypatch):
    monkeypatch.delenv("ARBITER_CLAIMS", raising=False)
    assert claims_in_use() == ledger()


def test_all_that_may_be_left_out_is_read(tmp_path):
    file = tmp_path / "claims.toml"
    file.write_text(
        SOURCE
        + CLAIM.replace('"fid"', '"relative_time"').replace('"1.95"', '"45"')
        + 'relative_to = "var-d30"\ntolerance = 0.5\ntolerance_reason = "Because."\nnote = "Odd."\nhardware = "A100"\n'
        + 'half_unit = 5\nconflicts_with = ["dit-xl-2-relative-time"]\n'
    )
    (claim,), mistakes = check_claims(file, KNOWN)
    assert not mistakes
    side = claim.paper_scale
    assert (side.kind, side.subject, side.baselines, side.metric) == ("ratio", "var-d30", ("mar-l",), "latency_s")
    assert (claim.tolerance, claim.tolerance_reason, claim.caveat) == (0.5, "Because.", "Odd.")
    assert (side.hardware, claim.conflicts_with) == ("A100", ("dit-xl-2-relative-time",))


MISTAKES = {
    "model": ('model = "mar-l"', 'model = "mar-x"', "unknown model 'mar-x'; did you mean mar-l?"),
    "metric": ('metric = "fid"', 'metric = "fidd"', "unknown metric 'fidd'; did you mean fid"),
    "protocol": ("imagenet-256-quality", "imagenet-265-quality", "did you mean imagenet-256-quality"),
    "protocol of another metric": (
        'metric = "fid"\nprinted = "1.95"\nprotocol = "imagenet-256-quality"',
        'metric = "cider"\nprinted = "1.95"\nprotocol = "digits-quality"',
        "protocol digits-quality does not measure cider; it measures fid, precision",
    ),
    "source": ('source = "mine"', 'source = "yours"', "unknown source 'yours'"),
    "number as a number": ('printed = "1.95"', "printed = 1.95", "printed: expected text in quotes, found 1.95"),
    "number in words": ('printed = "1.95"', 'printed = "about 2"', "'about 2' is not a number as papers print it"),
    "percent of a score": ('printed = "1.95"', 'printed = "1.95%"', "fid is printed in FID, without '%'"),
    "millions of a score": ('printed = "1.95"', 'printed = "1.95M"', "fid is printed in FID, without 'M'"),
    "zero": ('printed = "1.95"', 'printed = "0.0"', "not above 0"),
    "missing": ('model = "mar-l"\n', "", "lacks model"),
    "misspelt key": ('model = "mar-l"', 'model = "mar-l"\nmodle = 1', "unknown key 'modle'; known: id, model, metric"),
    "taken": ("mar-l-fid-mine", "transdiff-fid", "the id 'transdiff-fid' is taken"),
    "odd id": ("mar-l-fid-mine", "Mine [red]", "expected lower-case letters"),
    "scheme": ("arXiv:2511.00001", "https://arxiv.org", "has a scheme"),
    "standing": ('"independent"', '"true"', "unknown standing 'true'; known: authors; authors, superseded"),
    "control codes": ('where = "table 2"', 'where = "\\u001b[31m"', "where: expected one line of printable text"),
    "settings": ('source = "mine"', 'source = "mine"\nsettings = 3', "settings: expected a table"),
    "odd setting": ('source = "mine"', 'source = "mine"\nsettings = {cfg = [1]}', "expected a finite number"),
    "infinite": ('source = "mine"', 'source = "mine"\nsettings = {cfg = nan}', "expected a finite number"),
    "tolerance": ('source = "mine"', 'source = "mine"\ntolerance = 3\ntolerance_reason = "x"', "above 0 and below 1"),
    "no reason": ('source = "mine"', 'source = "mine"\ntolerance = 0.1', "comes with its tolerance_reason"),
    "conflict": ('source = "mine"', 'source = "mine"\nconflicts_with = ["nix"]', "unknown claim 'nix'"),
    "relative": ('metric = "fid"', 'metric = "relative_time"', "the two come together"),
}


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_that_names_file_claim_and_what_was_expected(tmp_path, old, new, said):
    whole = SOURCE + CLAIM
    assert whole.count(old) == 1
    lines = [line for line in mistakes_of(tmp_path, whole.replace(old, new)) if said in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"{tmp_path / 'claims.toml'}: ")
    assert "claim 1" in lines[0] or "source 1" in lines[0]
    assert lines[0].isprintable()


def test_each_mistake_of_a_file_is_told_at_once(tmp_path):
    second = CLAIM.replace("mar-l-fid-mine", "b").replace('"mar-l"', '"mar-z"')
    lines = mistakes_of(tmp_path, SOURCE + CLAIM.replace('"1.95"', '"?"') + second + CLAIM)
    assert [line.split(": ")[1] for line in lines] == ["claim 1 ('mar-l-fid-mine')", "claim 2 ('b')"]
    with pytest.raises(UsageError, match=r"claim 1 .* \(1 more: python -m bench claims "):
        claims_in_use([tmp_path / "claims.toml"], KNOWN)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no [[claims]]"),
        (b"claims = 3\nsources = [1]", "source 1: expected a table"),
        (b"[claims]\nid = 3", "holds no [[claims]]"),
        (b"\xff\xfe", "is not TOML"),
        (b"claims = " + b"[" * 100_000, "is not TOML"),
        (b"a = " + b"9" * 6000, "is not TOML"),
        (b"#" * (MOST_BYTES + 1), "at most"),
        ((SOURCE + CLAIM * 1001).encode(), "at most 1,000 fit"),
    ],
    ids=["empty", "no tables", "one table", "not UTF-8", "deep", "long number", "large", "many"],
)
def test_a_file_of_another_kind_is_named_with_the_reason(tmp_path, content, said):
    file = tmp_path / "claims.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"claims\.toml") as caught:
        claims_in_use([file], KNOWN)
    try:
        lines = check_claims(file, KNOWN)[1]
    except UsageError:
        lines = [str(caught.value)]
    assert any(said in line for line in lines)


def test_no_file_a_folder_and_a_pipe_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, said in (("none.toml", "No such file"), ("", "Is a directory"), ("pipe", "no regular file")):
        with pytest.raises(UsageError, match=said):
            check_claims(tmp_path / name)


# -- in small ----------------------------------------------------------------------------------------------------------

IN_SMALL = 'in_small = {model = "mar-digits", baselines = ["dit-digits"], protocol = "digits-quality"}\n'


def test_a_users_claim_may_say_which_small_models_show_its_direction(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(SOURCE + CLAIM + IN_SMALL)
    (claim,), mistakes = check_claims(path, known_names())
    assert mistakes == []
    side = claim.in_small
    assert (side.kind, side.metric, side.better, side.scale) == ("direction", "fid", "lower", "digits")
    assert (side.subject, side.baselines, side.protocol) == ("mar-digits", ("dit-digits",), "digits-quality")
    better = judge(claim, [quality("mar-digits", 1.0), quality("dit-digits", 3.0)])
    worse = judge(claim, [quality("mar-digits", 3.0), quality("dit-digits", 1.0)])
    assert [better[1].word, worse[1].word] == ["holds in small", "does not hold in small"]


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ('in_small = "mar-digits"', "expected a table"),
        ('in_small = {model = "mar-digits"}', "in_small: lacks baselines, protocol"),
        (IN_SMALL.replace("mar-digits", "mar-x"), "in_small: unknown model 'mar-x'"),
        (IN_SMALL.replace('["dit-digits"]', "3"), "in_small: expected the name of a model"),
        (IN_SMALL.replace("digits-quality", "imagenet-256-quality"), "is of no small scale; known: digits-quality"),
        (
            IN_SMALL.replace("digits-quality", "digits-latency"),
            "in_small: protocol digits-latency does not measure fid",
        ),
        (IN_SMALL.replace("model =", "subject ="), "in_small: unknown key 'subject'"),
        (IN_SMALL.replace("}", ", settings = 3}"), "in_small: settings: expected a table"),
    ],
)
def test_a_mistake_in_small_is_named(tmp_path, written, why):
    path = tmp_path / "mine.toml"
    path.write_text(SOURCE + CLAIM + written)
    claims, mistakes = check_claims(path, known_names())
    assert claims == ()
    assert any(why in mistake for mistake in mistakes), mistakes
