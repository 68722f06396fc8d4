"""Every printed number of the facts has its claim, its conflicts and, by hand-made records, its verdict."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from bench.claims import BENCHMARK_CLAIMS, CLAIMS, PUBLISHED_QUALITY, PUBLISHED_SPEED, SIZE_CLAIMS
from bench.claims.ledger import as_printed, contradict, ledger, printed_in, sources_of, table_claims
from bench.claims.printed import read_printed
from bench.claims.published import PublishedQuality
from bench.claims.rules import GENEVAL_PROMPTS, NAMED_PROTOCOLS, RULES
from bench.claims.sources import STANDINGS
from bench.metrics import METRICS
from bench.plan import make_plan
from bench.protocols import PROTOCOLS
from bench.records.schema import Measurement
from bench.verdict.judge import judge
from reference_models import specs
from tests.fake_records import record
from tests.paths import ROOT

SPECS = specs()
BY_ID = {claim.id: claim for claim in ledger()}

# -- the ledger itself -------------------------------------------------------------------------------------------------


def test_ids_are_given_once_and_headlines_sizes_and_benchmarks_are_in_it_as_they_are():
    assert len(BY_ID) == len(ledger())
    for claim in CLAIMS:
        assert replace(BY_ID[claim.id], conflicts_with=claim.conflicts_with) == claim
    told_by_headlines = {"d-dit-512-vqav2", "d-dit-512-cider"}
    assert {c.id for c in (*SIZE_CLAIMS, *BENCHMARK_CLAIMS)} - BY_ID.keys() == told_by_headlines
    assert len({printed_in(claim) for claim in ledger()}) == len(ledger()), "no number of a source is told twice"


@pytest.mark.parametrize("claim", ledger(), ids=lambda claim: claim.id)
def test_a_claim_of_the_ledger_is_whole(claim):
    side = claim.paper_scale
    assert {side.subject, *side.baselines} <= SPECS.keys()
    assert side.protocol in PROTOCOLS or side.protocol in NAMED_PROTOCOLS
    assert side.scale == (PROTOCOLS.get(side.protocol) or NAMED_PROTOCOLS[side.protocol]).scale
    assert claim.source.standing in STANDINGS
    assert "://" not in claim.source.url
    assert claim.tolerance_reason.endswith(".")
    assert 0 < claim.tolerance < 0.5
    assert as_printed(claim)
    if side.metric in METRICS and METRICS[side.metric].higher_is_better is not None and side.kind == "value":
        assert METRICS[side.metric].higher_is_better is (side.better == "higher")
    if side.protocol in PROTOCOLS and side.metric != "sfid":
        assert side.metric in PROTOCOLS[side.protocol].metrics


@pytest.mark.parametrize("claim", table_claims(), ids=lambda claim: claim.id)
def test_a_row_of_a_table_is_a_number_as_printed_under_conditions(claim):
    assert claim.value == pytest.approx(read_printed(claim.quote)[0])
    assert claim.source.conditions
    assert claim.paper_scale.settings.keys() <= {*SPECS[claim.paper_scale.subject].sampling, "num_steps"}


def test_claims_of_one_model_under_one_protocol_name_the_same_settings():
    """Else a record at another setting could answer a claim that names none."""
    keys: dict[tuple[str, str, str], set[tuple[str, ...]]] = {}
    for claim in table_claims():
        side = claim.paper_scale
        keys.setdefault((side.subject, side.protocol, side.metric), set()).add(tuple(sorted(side.settings)))
    several = {key for key, settings in keys.items() if len(settings) > 1}
    curves = {("d-dit-512", "vqa-v2-answers", "vqa_accuracy")}  # the table does not say at which T it was measured
    assert several <= curves


def test_a_protocol_that_is_there_is_the_one_that_claims_name():
    for name in NAMED_PROTOCOLS.keys() & PROTOCOLS.keys():
        assert NAMED_PROTOCOLS[name].scale == PROTOCOLS[name].scale


def test_claims_on_geneval_and_coco_fid_have_protocols_that_measure_them():
    sides = [claim.paper_scale for claim in ledger()]
    asked = [s for s in sides if s.metric.startswith("geneval_") or (s.subject, s.metric) == ("d-dit-512", "fid")]
    assert len(asked) == 8
    assert all(side.metric in PROTOCOLS[side.protocol].metrics for side in asked)
    assert PROTOCOLS["geneval-quality"].num_images == 4 * sum(GENEVAL_PROMPTS.values())


def test_geneval_asks_553_prompts_and_its_tolerance_is_their_sampling_noise():
    assert sum(GENEVAL_PROMPTS.values()) == 553  # GenEval, arXiv:2310.11513
    half = RULES["geneval_overall"].tolerance(0.5, 0.0) * 0.5
    assert half == pytest.approx(1.96 * (0.25 / 2212) ** 0.5)


def test_the_context_of_the_page_prints_what_the_ledger_holds():
    """Each number of PUBLISHED_QUALITY and PUBLISHED_SPEED on a model of the suite is in the ledger, same source."""
    held = {(claim.source.url, claim.value) for claim in ledger()}
    for group in PUBLISHED_QUALITY:
        for row in group.rows:
            assert isinstance(row, PublishedQuality)
            numbers = [row.inception_score] if group.standing == "inferred" else [row.fid, row.inception_score]
            if (
                "24x24" not in group.where and "-re " not in row.model and "512 px" not in row.model
            ):  # no models of the suite
                assert {(group.url, float(number)) for number in numbers if number} <= held
    for group in PUBLISHED_SPEED:
        if group.standing == "independent":
            assert {(group.url, float(row.number)) for row in group.rows} <= held


# -- where sources disagree --------------------------------------------------------------------------------------------


def test_var_s_paper_and_readme_are_a_live_conflict_and_nothing_of_it_is_superseded():
    for depth, paper, readme in ((16, 3.30, 3.55), (20, 2.57, 2.95), (24, 2.09, 2.33), (30, 1.92, 1.97)):
        a, b = BY_ID[f"var-d{depth}-fid-table-1"], BY_ID[f"var-d{depth}-fid-readme"]
        assert (a.value, b.value) == (paper, readme)
        assert (a.source.standing, b.source.standing) == ("authors", "authors")
        assert b.id in a.conflicts_with
        assert a.id in b.conflicts_with


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("transdiff-inception-score", "transdiff-h-inception-score-readme"),
        ("sit-xl-2-inception-score-table-7-sde", "sit-xl-2-inception-score-readme-sde"),
        ("dit-xl-2-fid-table-2", "dit-xl-2-fid-readme-pytorch"),
        ("var-d30-images-per-second", "var-d30-images-per-second-nar"),
        ("dit-xl-2-images-per-second", "dit-xl-2-images-per-second-xar"),
        ("dit-xl-2-relative-time", "var-d30-images-per-second"),
        ("d-dit-512-mme", "d-dit-512-mme-notes-page"),
        ("transdiff-latency-diffusion", "transdiff-latency-diffusion-informal"),
    ],
)
def test_sources_that_disagree_name_each_other(one, other):
    assert other in BY_ID[one].conflicts_with
    assert one in BY_ID[other].conflicts_with


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mar-l-fid-table-4", "mar-l-fid-readme"),  # 1.78 both
        ("dit-xl-2-flops", "dit-xl-2-flops-readme"),  # 118.64 rounds to 119
        ("dit-xl-2-inception-score-table-2", "dit-xl-2-inception-score-mar-table-4"),  # 278.24 rounds to 278.2
        ("llamagen-b-fid-table-8", "llamagen-b-fid-readme"),  # 5.464 rounds to 5.46
        ("d-dit-512-pope", "d-dit-512-pope-janus-pro"),
    ],
)
def test_a_rounded_number_is_no_other_number(one, other):
    assert not contradict(BY_ID[one], BY_ID[other])
    assert other not in BY_ID[one].conflicts_with
    assert any({one, other} <= {claim.id for claim in group.claims} for group in sources_of())


def test_every_claim_stands_in_one_group_and_conflicts_go_both_ways():
    groups = sources_of()
    assert Counter(claim.id for group in groups for claim in group.claims) == Counter(BY_ID.keys())
    for claim in ledger():
        assert all(claim.id in BY_ID[other].conflicts_with for other in claim.conflicts_with)
    for group in groups:
        linked = any(b.id in a.conflicts_with for a in group.claims for b in group.claims)
        assert any(contradict(a, b) for a in group.claims for b in group.claims) is linked


# -- verdicts ----------------------------------------------------------------------------------------------------------


def quality_record(model: str, fid: float, settings: dict[str, object] | None = None):
    made = record(model, "imagenet-256-quality")
    return replace(
        made,
        settings=settings if settings is not None else dict(SPECS[model].sampling),
        measurements={"fid": Measurement(fid, "", fid - 0.02, fid + 0.02, 50_000)},
    )


@pytest.mark.parametrize(("fid", "word"), [(1.78, "reproduced"), (1.95, "not reproduced"), (1.60, "not reproduced")])
def test_mar_l_is_judged_against_its_paper_and_its_readme(fid, word):
    for source in ("table-4", "readme"):
        assert judge(BY_ID[f"mar-l-fid-{source}"], [quality_record("mar-l", fid)])[0].word == word


def test_one_record_of_var_d20_reproduces_one_of_its_sources_only():
    made = [quality_record("var-d20", 2.95)]
    words = {source: judge(BY_ID[f"var-d20-fid-{source}"], made)[0].word for source in ("table-1", "readme")}
    assert words == {"table-1": "not reproduced", "readme": "reproduced"}


def test_a_record_at_one_setting_answers_the_claim_at_that_setting_only():
    ode = quality_record("sit-xl-2", 2.15, {"sampler": "dopri5"})
    assert judge(BY_ID["sit-xl-2-fid-table-7-ode"], [ode])[0].word == "reproduced"
    assert judge(BY_ID["sit-xl-2-fid-table-7-sde"], [ode])[0].word == "not run"


@pytest.mark.parametrize("claim", ledger(), ids=lambda claim: claim.id)
def test_without_records_every_claim_is_not_run_and_says_what_it_takes(claim):
    for verdict in judge(claim, []):
        assert verdict.word == "not run"
        assert verdict.reason


@pytest.mark.parametrize("scale", ["imagenet-256", "imagenet-512", "vqa-v2", "geneval"])
def test_every_claim_that_a_scale_measures_is_answered_by_a_run_of_its_plan(scale, tmp_path):
    """Also where a claim names what is the model's own setting, as DiT's guidance of 1.5."""
    plan = make_plan(scale=scale, only=(), quick=False, device="cuda", results=tmp_path)
    answered = {claim_id for run in plan.runs for claim_id in run.answers}
    asked = {c.id for c in ledger() if c.paper_scale.scale == scale and c.paper_scale.protocol in PROTOCOLS}
    assert asked
    assert asked <= answered


def test_a_plan_does_not_stumble_over_protocols_that_are_not_there(tmp_path):
    plan = make_plan(scale="imagenet-256", only=("mar-l",), quick=False, device="cpu", results=tmp_path)
    assert plan.runs


def test_importing_the_claims_is_light():
    code = "import sys, bench.claims.ledger as l; l.ledger(); sys.exit(bool({'torch', 'pandas'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_sentence_of_a_claim_tells_it_from_its_sources_other_numbers():
    """Without its number no sentence of a source stands twice: data set, training steps or decoder are in it."""
    without_number = [(claim.source, claim.headline.replace(claim.quote, "")) for claim in table_claims()]
    assert len(without_number) == len(set(without_number))
    assert BY_ID["d-dit-256-vizwiz-notes-page"].headline == "d-dit-256 reaches VQA accuracy 33.9 on VizWiz."
