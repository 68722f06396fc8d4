"""The report: one file on the records alone, readable without script or network, every number with its record."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from bench.claims import PUBLISHED_QUALITY, PUBLISHED_SPEED, SIZE_CLAIMS
from bench.claims.files import ENVIRONMENT as ENVIRONMENT_OF_CLAIMS
from bench.claims.ledger import ledger, sources_of
from bench.errors import UsageError
from bench.formatting import Unit, display_unit, interval, number, quantity
from bench.metrics import METRICS
from bench.records.parts import Images, Measurement
from bench.report import render
from bench.report.sections.cards import headline_claims
from bench.report.sections.sources import beyond_the_ledger, numbers_in, thing
from bench.report.words import SENTENCE
from tests.claims_file import CLAIM, SOURCE
from tests.fake_records import AUDIT, ENVIRONMENT, full_set, latency, picture, protocol, quality, record
from tests.pages import NOW, Tables, page_of, text_of, write
from tests.paths import ROOT


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A first full run: three models and the real scans."""
    return page_of(tmp_path_factory.mktemp("report"), full_set())


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    """The page of the committed records."""
    return render([ROOT / "results"], tmp_path_factory.mktemp("committed") / "index.html").read_text()


# -- one file ----------------------------------------------------------------------------------------------------------


def test_the_page_loads_nothing(page):
    """Links lead out; nothing is fetched: no stylesheet, no frame, no picture from elsewhere."""
    assert "@import" not in page
    assert not re.findall(r"<(link|iframe|object|embed)\b|<script[^>]*\bsrc=", page)
    assert not re.findall(r"\b(fetch|XMLHttpRequest|import)\s*\(", page)
    sources = re.findall(r'\bsrc="([^"]*)"', page)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    for target in Tables(page).targets:
        assert target.startswith(("#", "data:image/png;base64,", "../results/", "https://"))


def test_every_link_within_the_page_leads_somewhere_and_no_id_is_given_twice(page, committed):
    for each in (page, committed):
        found = Tables(each)
        assert len(found.ids) == len(set(found.ids))
        assert {target[1:] for target in found.targets if target.startswith("#")} <= set(found.ids)


def test_links_to_record_files_lead_to_files(tmp_path):
    found = Tables(page_of(tmp_path, full_set()))
    files = [target for target in found.targets if target.startswith("../results/")]
    assert len(files) == len(full_set())
    assert all((tmp_path / "reports" / target).is_file() for target in files)


def test_a_page_far_from_its_records_names_no_path(tmp_path):
    write(tmp_path, full_set())
    page = render([tmp_path / "results"], tmp_path / "a" / "b" / "c" / "page.html", now=NOW).read_text()
    assert str(tmp_path) not in page
    assert "../.." not in page


def test_rendering_the_committed_records_imports_no_torch_and_takes_little_processor_time(tmp_path):
    """Of a whole fresh process, which on an idle core is about a second; a busy machine may need three."""
    code = (
        "import sys, time, pathlib; from bench.report import render\n"
        f"render([pathlib.Path('results')], pathlib.Path({str(tmp_path)!r}) / 'page.html')\n"
        "assert not {'torch', 'matplotlib', 'pandas', 'scipy.stats'} & set(sys.modules)\n"
        "print(time.process_time())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 3
    assert (tmp_path / "page.html").stat().st_size < 3e6


def test_the_same_records_give_the_same_bytes(tmp_path):
    write(tmp_path, full_set())
    pages = [render([tmp_path / "results"], tmp_path / name, now=NOW).read_bytes() for name in ("a.html", "b.html")]
    assert pages[0] == pages[1]


def test_a_folder_that_does_not_exist_is_a_wrong_call(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        render([tmp_path / "nothing"], tmp_path / "index.html")
    assert not (tmp_path / "index.html").exists()


def test_text_from_a_record_is_escaped_in_the_page_and_in_what_travels_with_it(tmp_path):
    evil = record("mar-digits", "digits-quality", status="failed", reason="</script><script>alert(1)</script>")
    named = replace(evil, model="<b>bold", reason="no", file="")
    page = page_of(tmp_path, [*full_set(), evil, named, quality("dit-digits", 2.0, settings={"a": "</script><i>"})])
    assert "<script>alert" not in page
    assert "<b>bold" not in page
    assert "</script><i>" not in page
    assert page.count("<script") == page.count("</script>") == 2


# -- words -------------------------------------------------------------------------------------------------------------


def outside_details(page: str) -> str:
    """The page without its folded parts."""
    body = re.sub(r"<(script|svg|style)\b.*?</\1>", " ", page[page.index("<body>") :], flags=re.DOTALL)
    while (shorter := re.sub(r"<details(?:(?!<details).)*?</details>", " ", body, flags=re.DOTALL)) != body:
        body = shorter
    return body


def plain(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def paragraphs(markup: str) -> list[str]:
    """Prose: not the lines that name sources and records, and not the tables."""
    markup = re.sub(r'<(p|ul) class="(?:source|evidence)".*?</\1>', " ", markup, flags=re.DOTALL)
    found = re.findall(r"<(p|li|dd|figcaption|caption)\b[^>]*>(.*?)</\1>", markup, re.DOTALL)
    return [plain(inner) for _, inner in found]


def test_no_paragraph_outside_the_folded_parts_has_more_than_sixty_words(committed):
    assert [text for text in paragraphs(outside_details(committed)) if len(text.split()) > 60] == []


def test_no_sentence_is_printed_twice(committed):
    """Of eight words and more; what is not a sentence (commands, numbers, labels) may recur."""
    body = re.sub(r"<(script|svg|style)\b.*?</\1>", " ", committed[committed.index("<body>") :], flags=re.DOTALL)
    sentences = [sentence for text in paragraphs(body) for sentence in SENTENCE.split(text)]
    whole = [each for each in sentences if each.endswith(".") and len(each.split()) >= 8 and "bench" not in each]
    assert {each: n for each, n in Counter(whole).items() if n > 1} == {}


def test_slower_is_said_as_slower(committed):
    """ "14.2 times slower", never "0.0704 times as fast"."""
    assert not re.search(r"\b0\.\d+ times as fast", committed)
    assert not re.search(r">x0\.\d", committed)
    assert "times slower" in committed


def test_every_heading_is_told_apart_and_in_words(committed):
    headings = [plain(found) for _, found in re.findall(r"<(h[1-4])\b[^>]*>(.*?)</\1>", committed, flags=re.DOTALL)]
    high = [plain(found) for _, found in re.findall(r"<(h[1-3])\b[^>]*>(.*?)</\1>", committed, flags=re.DOTALL)]
    assert len(high) == len(set(high))
    assert not any(name in heading for heading in headings for name in ("digits-latency", "imagenet-256-"))


def test_no_section_is_empty(page, committed):
    for each in (page, committed):
        for section in re.findall(r"<section\b.*?</section>", each, flags=re.DOTALL):
            heading = re.search(r"<h2.*?</h2>", section, flags=re.DOTALL)
            assert heading
            assert len(plain(section.replace(heading[0], "")).split()) >= 5


# -- what it says ------------------------------------------------------------------------------------------------------


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
        ["dit-digits", "2.20 2.00 to 2.40 tie with the first"],
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
    light, dark = css.split("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark if scheme == "dark" else light))
    assert set(re.findall(r"var\(--([\w-]+)\)", page)) - {"sans", "mono"} <= set(colours)
    pairs = [(name, ground) for name in ("ink", "muted", "link") for ground in ("paper", "raised")]
    pairs += [(name, f"{name}-bg") for name in ("yes", "no", "open", "unlike", "none")]
    pairs += [(name, "paper") for name in colours if name.startswith(("series-", "printed"))]
    assert [(a, b) for a, b in pairs if contrast(colours[a], colours[b]) < 4.5] == []


# -- other sets of records ---------------------------------------------------------------------------------------------


def test_a_smoke_run_is_stamped_and_judges_nothing(tmp_path):
    page = page_of(tmp_path, full_set(quick=True))
    assert "<title>SMOKE RUN" in page
    assert "SMOKE RUN" in text_of(page)
    without_legend = re.sub(r'<details class="legend".*?</details>', "", page, flags=re.DOTALL)
    assert "holds in small</span>" not in without_legend


def test_a_full_run_is_not_stamped(page):
    assert "smoke run" not in text_of(page).lower()


def test_no_records_give_a_page_that_says_so(tmp_path):
    page = page_of(tmp_path, [])
    assert "Nothing was measured yet" in text_of(page)
    assert "<svg" not in page


def test_machines_and_scales_never_share_a_table_and_the_last_to_measure_answers(tmp_path):
    gpu = replace(ENVIRONMENT, machine="nvidia-h200", device="cuda", gpu="NVIDIA H200")
    later = {"environment": gpu, "created_utc": "2026-02-01T10:00:00+00:00"}
    paper = [
        replace(latency(model, seconds, **later), protocol=protocol("imagenet-256-latency"))
        for model, seconds in (("transdiff-l", 1.0), ("dit-xl-2", 4.0))
    ]
    page = page_of(tmp_path, [*full_set(), latency("transdiff-digits", 0.01, **later), *paper])
    tables = [rows for caption, rows in Tables(page).tables if "Time to generate" in "".join(caption)]
    assert [[row[0].strip() for row in rows[1:]] for rows in tables] == [
        ["transdiff-digits"],
        ["transdiff-l", "dit-xl-2"],
        ["transdiff-digits", "mar-digits", "dit-digits"],
    ]
    assert text_of(page).index("What it costs on nvidia-h200") < text_of(page).index("What it costs on acme-cpu-2c")
    ids = Tables(page).ids
    assert len(ids) == len(set(ids))


def test_counted_sizes_stand_beside_printed_ones_and_nowhere_else(tmp_path):
    counts = [("transdiff-l", {"num_params": 682.52e6, "decoder_share": 0.407}), ("mar-l", {"num_params": 478.33e6})]
    counts.append(("dit-xl-2", {"num_params": 674.83e6, "flops": 2 * 118.62e9}))
    sizes = [
        record(model, "paper-size", measurements={name: Measurement(value, "") for name, value in found.items()})
        for model, found in counts
    ]
    page = page_of(tmp_path, [*full_set(), *sizes])
    rows = Tables(page).table("Autoencoders left out")
    assert ["transdiff-l", "683M", "682.52M", "✓ reproduced", "–", "–", "–"] in rows
    assert ["transdiff-l", "33 %", "40.7 %", "✗ not reproduced", "–", "–", "–"] in rows
    assert ["dit-xl-2", "675M", "674.83M", "✓ reproduced", "118.64", "118.620", "≈ agrees to 0.1 %"] in rows
    assert "paper-size on acme" not in text_of(page)


def test_failed_and_refused_and_unreadable_are_told(tmp_path):
    failed = record("mar-digits", "digits-quality", status="failed", reason="40 of 500 images are constant")
    few = quality("dit-digits", 2.0)
    few = replace(
        few,
        measurements={name: m for name, m in few.measurements.items() if name != "fid"},
        images=replace(few.images, refused={"fid": "60 images for 64 features"}),
    )
    results = write(tmp_path, [failed, few])
    (results / "acme-cpu-2c" / "broken.json").write_text("{")
    text = text_of(render([results], tmp_path / "index.html", now=NOW).read_text())
    assert "failed: 40 of 500 images are constant" in text
    assert "FID of dit-digits was refused: 60 images for 64 features" in text
    assert "acme-cpu-2c/broken.json: not JSON" in text


def test_two_settings_of_a_model_are_two_rows(tmp_path):
    strong = quality("dit-digits", 3.0, settings={"num_steps": 100, "cfg_scale": 4.0})
    rows = Tables(page_of(tmp_path, [quality("dit-digits", 2.0), strong])).table("Scores")
    assert {row[0] for row in rows[1:]} == {"dit-digits (cfg_scale 1.5)", "dit-digits (cfg_scale 4)"}


# -- numbers in words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "low", "high", "shown", "bounds"),
    [
        (3.4187, 3.07, 3.77, "3.42", "3.07 to 3.77"),
        (3.4187, None, None, "3.42", ""),
        (25.312, 24.0, 26.5, "25.3", "24.0 to 26.5"),
        (9.4, 9.3, 9.5, "9.40", "9.30 to 9.50"),  # the half-width is 0.0999... in binary
        (0.0003, -0.0004, 0.0011, "0.00030", "−0.00040 to 0.00110"),
        (0.0, -0.5, 0.5, "0.00", "−0.50 to 0.50"),
        (1234567.0, None, None, "1,234,567", ""),
        (12.3456789, 12.3456780, 12.3456799, "12.35", "12.35 to 12.35"),  # never more than four digits
        (-0.0001, -0.5, 0.5, "0.00", "−0.50 to 0.50"),
    ],
)
def test_a_number_shows_the_digits_its_interval_deserves(value, low, high, shown, bounds):
    assert number(value, low, high) == shown
    assert interval(value, low, high) == bounds


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("latency_s", 0.0123, "12.3 ms"),
        ("latency_s", 2.5, "2.50 s"),
        ("latency_s", 4.2e-5, "42.0 µs"),
        ("peak_memory_bytes", 3 * 2**30, "3.00 GiB"),
        ("throughput_per_s", 247.4, "247 images/s"),
        ("num_params", 801_234, "0.801 M"),
        ("num_params", 682_500_000, "682 M"),
        ("num_params", 1_327_900_000, "1.33 B"),
        ("flops", 118.6e9, "119 GFLOP"),
        ("nfe", 201, "201"),
        ("fid", 1.61, "1.61"),
    ],
)
def test_a_quantity_has_a_unit_that_people_use(metric, value, shown):
    assert quantity(metric, value) == shown


def test_a_column_has_one_unit_that_of_its_smallest_value():
    assert display_unit("latency_s", [0.011, 3.4]) == Unit(1e-3, "ms")
    assert display_unit("fid", []) == Unit()
