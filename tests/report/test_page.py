"""The report: one file on the records alone, readable without script or network, every number with its record."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from bench.errors import UsageError
from bench.records.parts import Measurement
from bench.report import render
from bench.report.words import SENTENCE
from tests.fake_records import ENVIRONMENT, full_set, latency, protocol, quality, ratios, record
from tests.fake_studies import study_set
from tests.pages import NOW, Tables, page_of, text_of, write
from tests.paths import ROOT

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
        "assert not {'torch', 'matplotlib', 'pandas', 'scipy', 'psutil'} & set(sys.modules)\n"
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


def body_of(page: str) -> str:
    return re.sub(r"<(script|svg|style)\b.*?</\1>", " ", page[page.index("<body>") :], flags=re.DOTALL)


def plain(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def paragraphs(markup: str) -> list[str]:
    """Prose: not the lines that name sources and records, and not the tables."""
    markup = re.sub(r'<(p|ul) class="(?:source|evidence)".*?</\1>', " ", markup, flags=re.DOTALL)
    found = re.findall(r"<(p|li|dd|figcaption|caption)\b[^>]*>(.*?)</\1>", markup, re.DOTALL)
    return [plain(inner) for _, inner in found]


def test_no_paragraph_has_more_than_sixty_words_in_folded_parts_neither(committed):
    assert [text for text in paragraphs(body_of(committed)) if len(text.split()) > 60] == []


def test_no_sentence_is_printed_twice(committed):
    """Of eight words and more; what is not a sentence (commands, numbers, labels) may recur."""
    sentences = [sentence for text in paragraphs(body_of(committed)) for sentence in SENTENCE.split(text)]
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


def test_a_machines_part_is_folded_where_an_earlier_machine_has_all_of_it(tmp_path):
    """Whichever leads: what stands nowhere else stands open, as the one table of a GPU and the stages of a CPU."""
    gpu = replace(ENVIRONMENT, machine="acme-gpu", device="cuda", gpu="ACME GPU")
    timed = ratios("transdiff-l", {"dit-xl-2": 4.0, "sit-xl-2": 3.9}, protocol_name="imagenet-256-ratios")
    again = full_set(environment=replace(ENVIRONMENT, machine="slow-cpu-8c"), created_utc="2025-01-01T00:00:00+00:00")
    for day in ("2025-06-01", "2027-01-01"):  # of the GPU: before and after the first CPU
        made = replace(timed, environment=gpu, created_utc=f"{day}T00:00:00+00:00")
        page = page_of(tmp_path / day, [*full_set(), made, *again])
        folded = re.findall(r'<details class="machine" data-machine="(.*?)"><summary>(.*?)</summary>', page)
        assert {machine for machine, _ in folded} == {"slow-cpu-8c"}
        assert ("slow-cpu-8c", "What it costs, on slow-cpu-8c") in folded
        assert ("slow-cpu-8c", "Quality, digits, on slow-cpu-8c") in folded
        text = text_of(page)
        assert text.count("an interval covers the rounds of its run, not other runs") == 1
        assert "On acme-gpu only in shared rounds: python -m bench reproduce --scale imagenet-256 --device cuda" in text
        assert "Not run on a GPU" not in text


def test_scores_with_studies_that_no_earlier_machine_made_stand_open(tmp_path):
    older = {"environment": replace(ENVIRONMENT, machine="slow-cpu-8c"), "created_utc": "2025-01-01T00:00:00+00:00"}
    studied = [replace(made, **older) for made in (*full_set(), *study_set(["guidance"]))]
    page = page_of(tmp_path, [*full_set(), *studied])
    folded = re.findall(r'<details class="machine" data-machine="slow-cpu-8c"><summary>(.*?)</summary>', page)
    assert folded == ["What it costs, on slow-cpu-8c"]


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
