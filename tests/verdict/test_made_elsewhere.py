"""Records of what was made elsewhere in the judge's hands: they speak, say so, and give way to a run of this suite."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.claims.ledger import ledger
from bench.records.latest import is_current, latest
from bench.records.parts import Elsewhere, Measurement
from bench.records.store import load_records, save_record
from bench.verdict.judge import MADE_ELSEWHERE, judge
from tests.fake_records import record

CLAIMS = {claim.id: claim for claim in ledger()}
PAPER_AND_README = ("mar-l-fid-table-4", "mar-l-fid-readme")  # both print 1.78
ELSEWHERE = Elsewhere(what="images", name="mar-l", num_items=50_000, sha256="ab" * 32, made_by="the authors' code")
SETTINGS = {"num_iter": 256, "num_steps": 100, "cfg_scale": 3.0}


def mar_l(fid, **changes):
    """A record under the paper's protocol, its interval half a percent to either side."""
    found = Measurement(fid, "", fid * 0.995, fid * 1.005, 50_000)
    return record("mar-l", "imagenet-256-quality", settings=SETTINGS, measurements={"fid": found}, **changes)


@pytest.mark.parametrize("claim", PAPER_AND_README)
@pytest.mark.parametrize("elsewhere", [None, ELSEWHERE])
@pytest.mark.parametrize(("fid", "word"), [(1.78, "reproduced"), (1.95, "not reproduced")])
def test_mar_l_at_1_78_is_reproduced_and_at_1_95_is_not(claim, elsewhere, fid, word):
    (verdict,) = judge(CLAIMS[claim], [mar_l(fid, elsewhere=elsewhere)])
    assert (verdict.word, verdict.value) == (word, fid)
    assert verdict.marker == ("" if elsewhere is None else MADE_ELSEWHERE)
    told = "Made elsewhere and scored here: mar-l: 50,000 images of 'mar-l' (made by the authors' code;"
    assert (told in verdict.reason) is (elsewhere is not None)


def test_a_run_of_this_suite_speaks_before_a_later_one_of_elsewhere():
    later = "2026-02-28T00:00:00+00:00"
    both = latest([mar_l(1.78), mar_l(1.95, elsewhere=ELSEWHERE, created_utc=later)])
    assert len(both) == 2, "neither supersedes the other"
    assert judge(CLAIMS["mar-l-fid-table-4"], both)[0].word == "reproduced"


def test_what_was_made_elsewhere_speaks_where_the_run_of_this_suite_failed():
    failed = replace(mar_l(1.78, created_utc="2026-02-28T00:00:00+00:00"), status="failed", measurements={})
    verdict = judge(CLAIMS["mar-l-fid-table-4"], latest([failed, mar_l(1.78, elsewhere=ELSEWHERE)]))[0]
    assert (verdict.word, verdict.marker) == ("reproduced", MADE_ELSEWHERE)


def test_a_record_of_elsewhere_never_spares_a_run():
    made = mar_l(1.78)
    assert is_current(made, made.protocol, made.inputs)
    assert not is_current(replace(made, elsewhere=ELSEWHERE), made.protocol, made.inputs)


def test_the_mark_survives_the_disk(tmp_path):
    save_record(mar_l(1.78, elsewhere=ELSEWHERE), tmp_path)
    loaded = load_records([tmp_path])
    assert (loaded.records[0].elsewhere, loaded.faults) == (ELSEWHERE, [])
