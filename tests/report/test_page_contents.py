"""What the page says of a first full run, part by part: head, cards, scores, sources, colours."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bench.claims import PUBLISHED_QUALITY, PUBLISHED_SPEED, SIZE_CLAIMS
from bench.claims.files import ENVIRONMENT as ENVIRONMENT_OF_CLAIMS
from bench.claims.ledger import beyond_the_ledger, ledger, numbers_in, sources_of
from bench.metrics import METRICS
from bench.records.parts import Images, Measurement
from bench.report import render
from bench.report.sections.cards import headline_claims
from bench.report.sections.sources import thing
from bench.report.tables import table_of
from bench.report.words import SENTENCE
from tests.claims_file import CLAIM, SOURCE
from tests.fake_records import AUDIT, ENVIRONMENT, full_set, picture, quality
from tests.pages import NOW, Tables, page_of, text_of, write


def test_the_head_identifies_machine_commit_version_and_licence(page):
    head = text_of("<body>" + page[page.index("<header>") : page.index("</header>")])
    assert head.startswith("TransDiff, MRAR and Dual Diffusion: do the papers' claims hold?")
    for words in (
        "measured 2026-01-31",
        "Acme CPU 9000 (2 cores, no GPU)",
        "commit 0123456789",
        "licence MIT",
        "cite as",
    ):
        assert words in head


def test_questions_come_first_then_claims_quality_cost_and_the_rest(committed):
    order = (
        "answers",
        "claims",
        "quality",
        "cost",
        "mrar",
        "dual",
        "sources",
        "models",
        "method",
        "not-run",
        "records",
    )
    places = [committed.index(f'<section id="{name}"') for name in order]
    assert places == sorted(places)


def test_every_headline_claim_has_a_card_with_its_verdict_quote_live_source_standing_and_conflicts(page):
    text = text_of(page)
    for claim in headline_claims():
        card = page[page.index(f'<article class="claim" id="claim-{claim.id}"') :]
        card = card[: card.index("</article>")]
        assert re.search(rf'<h3 id="claim-{claim.id}-h">.*?<span class="badge', card, flags=re.DOTALL)
        words = text_of(f"<body>{card}")
        assert f"“{claim.quote}”" in words
        assert f"standing: {claim.source.standing}".replace(" ", "") in words.replace(" ", "")
        assert 'href="https://' in card
        for conflict in claim.conflicts:
            for sentence in SENTENCE.split(conflict):
                assert re.sub(r"[`\s]+", "", sentence) in re.sub(r"\s+", "", text)


def test_every_claim_has_a_card_a_row_in_its_papers_table_or_a_row_among_the_sizes(page):
    cards, sizes = {claim.id for claim in headline_claims()}, {claim.id for claim in SIZE_CLAIMS}
    rows = {row[0] for words, rows in Tables(page).tables if "printed numbers" in "".join(words) for row in rows}
    rows = {" ".join(row.split()) for row in rows}
    for claim in ledger():
        assert (f'id="claim-{claim.id}"' in page) is (claim.id in cards)
        if claim.id not in cards | sizes:
            assert claim.headline.rstrip(".") in rows


def test_claims_of_a_users_file_are_judged_on_the_page(tmp_path, monkeypatch):
    """$ARBITER_CLAIMS names the file."""
    (tmp_path / "mine.toml").write_text(SOURCE + CLAIM)
    monkeypatch.setenv(ENVIRONMENT_OF_CLAIMS, str(tmp_path / "mine.toml"))
    page = render([write(tmp_path, full_set())], tmp_path / "index.html", now=NOW).read_text()
    assert Tables(page).table("Mine's printed numbers")[1][:3] == [
        "mar-l reaches FID 1.95",
        "1.95 sources disagree",
        "–",
    ]
    assert ["Mine, table 2", "1.95 FID", "independent", "– not run"] in Tables(page).table("mar: ")


def test_each_verdict_links_to_the_records_it_rests_on(page):
    card = page[page.index('id="claim-transdiff-latency-ar"') : page.index('id="claim-transdiff-latency-diffusion"')]
    assert len(re.findall(r'href="#record-acme-cpu-2c-(?:transdiff|mar)-digits-digits-latency', card)) == 2


def test_scores_are_sorted_by_fid_with_intervals_ties_and_the_real_data_floor(page):
    rows = Tables(page).table("Scores, sorted by FID")
    assert rows[0][:3] == ["Model", "FID lower is better", "KID lower is better"]
    assert rows[1][:2] == ["real held-out scans", "0.62 0.51 to 0.75"]
    assert [row[:2] for row in rows[2:]] == [
        ["transdiff-digits", "2.10 1.90 to 2.30"],
        ["dit-digits", "2.20 2.00 to 2.40 tie with the first in this run"],
        ["mar-digits", "6.40 5.90 to 6.90"],
    ]
    assert rows[2][-1] == "500"
    assert "The two FID engines agree within 0.001" in text_of(page)


def test_scores_say_whose_settings_they_are_and_which_version_of_a_metric(tmp_path):
    """Guidance chosen by the score that it is judged by, KID before its correction, subsets no larger than the set."""
    made = quality("transdiff-digits", 2.0)
    now = replace(made, inputs=replace(made.inputs, metric_versions={"kid": METRICS["kid"].version}))
    before = replace(made, inputs=replace(made.inputs, metric_versions={"kid": 1}))
    asked = replace(made.images, scoring={"kid_subset_size": 1000})
    page = page_of(tmp_path, [replace(before, images=asked)])
    assert "KID version 1, lower is better" in Tables(page).table("Scores, sorted by FID")[0]
    assert "These records hold version 1: not corrected" in text_of(page)
    assert ["subset size of KID", "500"] in Tables(page).table("Protocol digits-quality")
    assert "Sampling settings of the small models are this project's" in text_of(page)
    assert "KID lower is better" in Tables(page_of(tmp_path, [now])).table("Scores, sorted by FID")[0]


def test_no_column_holds_two_versions_of_a_metric():
    """KID of before and after its correction do not stand side by side; FID, of one version, does."""
    made = quality("transdiff-digits", 2.0)
    of = [replace(made, file=f"{v}", inputs=replace(made.inputs, metric_versions={"fid": 1, "kid": v})) for v in (1, 2)]
    headings = [
        [title for title, _ in table_of("", ("fid", "kid"), kept, {"1": "a", "2": "b"}).columns]
        for kept in (of, of[1:])
    ]
    assert headings == [["FID"], ["FID", "KID"]]


def test_without_a_real_data_record_the_scores_have_no_floor(tmp_path):
    page = page_of(tmp_path, [made for made in full_set() if made.model != "real-data"])
    assert Tables(page).table("Scores")[1][:2] == ["transdiff-digits", "2.10 1.90 to 2.30"]
    assert "real held-out scans" not in {row[0] for row in Tables(page).table("Scores")}


def test_engines_that_disagree_are_called_out(tmp_path):
    bad = quality("dit-digits", 2.0)
    bad = replace(bad, measurements={**bad.measurements, "fid_clean": Measurement(2.5, "", 2.3, 2.7, 500)})
    assert "differ by up to 0.2, which is more than 0.001: trust neither" in text_of(page_of(tmp_path, [bad]))


def test_size_cost_audit_protocol_and_machine_are_there(page):
    found = Tables(page)
    row = found.table("Size and cost")[1]
    assert (
        row[:3] == ["transdiff-digits", "0.801", "201 encoder 1, decoder 200"] or row[2] == "201 decoder 200, encoder 1"
    )
    assert "98.6 %" in found.table("Audit")[1]
    assert ["images generated, class-balanced", "500"] in found.table("Protocol digits-quality")
    assert ["timed rounds at least", "10"] in found.table("Protocol digits-latency")
    assert ["memory", "8.00 GiB"] in found.table("Environment")
    assert "torch 2.11.0" in text_of(page)
    assert "0123456789" in found.table("The latest record of each run")[1][3]


def test_the_training_of_the_measured_weights_is_told_by_their_own_metadata(committed, page):
    rows = {row[0]: row[1:] for row in Tables(committed).table("Training of the shipped weights")}
    assert {"transdiff-digits", "dit-digits", "var-digits"} <= set(rows)
    assert rows["dit-digits"][-1] == "python -m bench train dit-digits --seed 0"
    assert rows["transdiff-mrar-digits"][2] == "128,000 after those of transdiff-digits"  # not half of what others saw
    assert rows["d-dit-digits"][2] == "96,000 after those of d-dit-digits-base"
    assert "Training of the shipped weights" not in page  # its records name other weights


def test_uncommitted_changes_are_told(tmp_path):
    made = quality("dit-digits", 2.0, environment=replace(ENVIRONMENT, dirty=True))
    assert "commit 0123456789, with changes" in text_of(page_of(tmp_path, [made]))


def test_what_was_not_run_names_the_claims_and_the_command(page):
    section = page[page.index('<section id="not-run"') : page.index('<section id="records"')]
    assert "python -m bench reproduce --scale imagenet-256 --only transdiff-h" in text_of(f"<body>{section}")
    assert 'href="#claim-transdiff-fid"' in section


def test_samples_stand_beside_real_scans_enlarged_by_a_whole_factor(page):
    grids = re.findall(r'<figure><img class="crisp" [^>]*?alt="([^"]*)" width="(\d+)" height="(\d+)">', page)
    assert grids[0] == ("Grid of real images", "240", "144")  # 80 x 48 pixels
    assert grids[1] == ("Grid of images generated by transdiff-digits, one class per column", "240", "144")
    assert len(grids) == 4
    assert picture() in page


def test_a_picture_that_is_no_png_is_left_out(tmp_path):
    page = page_of(tmp_path, [quality("dit-digits", 2.0, images=Images(audit=AUDIT, grid_png='"><script>'))])
    assert "<img" not in page


def test_sources_that_disagree_stand_below_each_other_each_with_its_verdict(page):
    rows = Tables(page).table("transdiff: ")
    place = rows.index(["transdiff-h: IS"])
    assert [row[:2] for row in rows[place + 1 : place + 3]] == [
        ["TransDiff, abstract", "293.4 Inception Score"],
        ["TransDiff, README today", "282.0 Inception Score"],
    ]
    headings = {row[0] for words, rows in Tables(page).tables for row in rows if len(row) == 1}
    assert {" ".join(each.split()) for each in headings} >= {thing(g) for g in sources_of() if g.disagree}


def test_claims_that_contradict_each_other_on_several_things_stand_below_each_other_too(page):
    """x2 and x2.5 speak of other baselines, VAR's 45 of a time and RAR's 17.3 and 0.6 of images per second."""
    rows = Tables(page).table("transdiff: ")
    place = rows.index(["TransDiff is x2 faster than models based on AR Transformers alone"])
    assert [row[1] for row in rows[place + 1 : place + 3]] == ["2 times", "2.5 times"]
    rows = Tables(page).table("var: ")
    place = rows.index(["dit-xl-2 takes 45 times as long as var-d30"])
    told = ["45 times", "17.3 images/s of var-d30", "0.6 images/s of dit-xl-2"]
    assert [row[1] for row in rows[place + 1 : place + 4]] == told


def test_what_sources_disagree_on_is_told_apart(committed):
    """D-DiT's accuracies on four sets of questions are four things."""
    part = committed[committed.index('<section id="sources"') : committed.index('<section id="models"')]
    headings = re.findall(r'<th scope="rowgroup"[^>]*><span class="fit">([^<]*)<', part[: part.index("as context")])
    assert "d-dit-256: VQA accuracy on VizWiz" in headings
    assert len(headings) == len(set(headings)) > 20


def test_settings_that_sources_print_differently_stand_beside_those_in_use(page):
    rows = Tables(page).table("Settings printed differently")
    assert next(row[:3] for row in rows if row and row[0] == "transdiff-mrar-l") == [
        *("transdiff-mrar-l", "scale_0 0.925, scale_1 0.95", "scale_0 0.91, scale_1 0.93"),
    ]


def test_context_holds_only_numbers_that_are_no_claims(page):
    """A printed number of a model of the suite stands in its paper's table, with a verdict, and nowhere as context."""
    held = {(claim.source.url, claim.value) for claim in ledger()}
    for group in beyond_the_ledger(PUBLISHED_QUALITY + PUBLISHED_SPEED):
        assert all(not {(group.url, number) for number in numbers_in(row)} <= held for row in group.rows)
    assert "VAR-d30-re (rejection sampling)" in text_of(page)
    assert "SiT-XL/2, ODE" not in text_of(page)


def test_printed_and_measured_numbers_share_no_table_of_scores(page):
    measured = {made.model for made in full_set()} | {"real held-out scans"}
    for caption, rows in Tables(page).tables:
        if "Printed" in "".join(caption):
            assert not {row[0].strip() for row in rows if row} & measured


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio of two #rrggbb colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_asks_for(page, scheme):
    """4.5 to 1 for text on its background, charts' labels and markers included; every colour in use is set."""
    css = page[page.index("<style>") : page.index("@media print")]
    light, dark = css.split("@media screen and (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark if scheme == "dark" else light))
    assert set(re.findall(r"var\(--([\w-]+)\)", page)) - {"sans", "mono"} <= set(colours)
    pairs = [(name, ground) for name in ("ink", "muted", "link") for ground in ("paper", "raised")]
    pairs += [(name, f"{name}-bg") for name in ("yes", "no", "open", "unlike", "none")]
    pairs += [(name, "paper") for name in colours if name.startswith(("series-", "printed"))]
    assert [(a, b) for a, b in pairs if contrast(colours[a], colours[b]) < 4.5] == []
