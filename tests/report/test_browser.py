"""The committed page in a real browser: headless Chromium, where Debian's chromium and chromedriver are installed.

axe-core (tests/data/axe, MPL 2.0) looks for what keeps people out.
"""

from __future__ import annotations

import base64
import os
import shutil
from dataclasses import replace

import pytest

from bench.report import render
from tests.fake_records import ENVIRONMENT, full_set, ratios
from tests.pages import NOW, write
from tests.paths import DATA, ROOT

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
selenium = pytest.importorskip("selenium", reason="selenium is not installed")
WebDriverWait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait
WebDriverException = pytest.importorskip("selenium.common.exceptions").WebDriverException
pytestmark = [
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium or chromedriver is not installed"),
    pytest.mark.slow,
]
WIDTHS = (1280, 360)


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The page of the committed records. ARBITER_SCREENSHOTS names a folder for screenshots of it."""
    return render([ROOT / "results"], tmp_path_factory.mktemp("page") / "index.html")


def count(browser, selector):
    """How many elements of the page a selector finds, also where scripts do not run."""
    page = browser.execute_cdp_cmd("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    return len(browser.execute_cdp_cmd("DOM.querySelectorAll", {"nodeId": page, "selector": selector})["nodeIds"])


def show(browser, path, width, *, dark=False, opened=False):
    """The page at a width in CSS pixels, in light or dark, with all parts folded as they come, or open."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get("about:blank")  # else what is counted below may be of the page before
    browser.get(path.as_uri())
    num_tables = path.read_text().count("<table")  # the driver may return before the page is read to its end
    WebDriverWait(browser, 30, ignored_exceptions=[WebDriverException]).until(
        lambda _: count(browser, "table") == num_tables
    )
    if opened:
        browser.execute_async_script(
            "const done = arguments[0]; document.querySelectorAll('details').forEach(each => { each.open = true; });"
            "setTimeout(done, 200);"
        )
    if folder := os.environ.get("ARBITER_SCREENSHOTS"):
        browser.save_screenshot(f"{folder}/{width}-{'dark' if dark else 'light'}.png")


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_requested_nothing_fails_and_nothing_is_wider_than_the_screen(browser, path, width):
    show(browser, path, width, opened=True)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_moves_once_it_is_shown_and_nothing_is_requested_by_use(browser, path, width):
    """Cumulative layout shift is 0 from the first paint to the end of the script; a click asks for no file either."""
    show(browser, path, width)
    shifts, requests = browser.execute_async_script(
        """const done = arguments[0];
        const shifts = [];
        new PerformanceObserver(list => shifts.push(...list.getEntries().map(each => each.value)))
          .observe({ type: 'layout-shift', buffered: true });
        setTimeout(() => {
          const before = [...shifts];
          document.querySelector('details.paper').open = true;
          document.querySelector('.answer data').click();
          document.querySelector('.csv').click();
          setTimeout(() => done([before, performance.getEntriesByType('resource').map(each => each.name)]), 300);
        }, 500);"""
    )
    assert sum(shifts) == 0
    assert [each for each in requests if not each.startswith("blob:")] == []


@pytest.mark.parametrize(("width", "dark"), [*((width, False) for width in WIDTHS), (WIDTHS[0], True)])
def test_axe_finds_nothing(browser, path, width, dark):
    """In dark the rules of colour, at one width: all else there is as in light, and colours are those of any width."""
    show(browser, path, width, dark=dark, opened=True)
    only = "runOnly: ['color-contrast', 'link-in-text-block']," if dark else ""
    browser.set_script_timeout(120)
    browser.execute_script((DATA / "axe" / "axe.min.js").read_text(encoding="utf-8"))
    found = browser.execute_async_script(
        "const done = arguments[0];"
        f"axe.run({{ {only} resultTypes: ['violations'], selectors: false, preload: false }})"
        ".then(all => done(all.violations.map(each => [each.id, each.nodes.map(node => node.html)])))"
    )
    assert found == []


def test_the_four_answers_are_on_the_first_screen(browser, path):
    show(browser, path, 1280)
    bottoms = browser.execute_script(
        "return [...document.querySelectorAll('.answer')].map(each => each.getBoundingClientRect().bottom)"
    )
    assert len(bottoms) == 4
    assert max(bottoms) <= 900


def test_scroll_areas_are_tab_stops_only_where_they_overflow(browser, path):
    script = """return [...document.querySelectorAll('.scroll')].filter(each => each.clientWidth > 0)
        .map(each => [each.scrollWidth > each.clientWidth + 1, each.tabIndex >= 0])"""
    for width in WIDTHS:
        show(browser, path, width, opened=True)
        assert browser.execute_script(script)
        # The script looks again where a part was opened: soon, not at once.
        WebDriverWait(browser, 10).until(lambda _: all(over == stop for over, stop in browser.execute_script(script)))


def test_a_table_sorts_both_ways_and_real_data_stays_on_top(browser, path):
    show(browser, path, 1280)
    script = """const table = document.querySelector('table.floored');
        table.tHead.rows[0].cells[1].querySelector('button').click();
        const value = row => Number(row.cells[1].querySelector('data').value);
        return [...table.tBodies[0].rows].map(row => [row.className, value(row)])"""
    for way in (1, -1):
        rows = browser.execute_script(script)
        assert [kind for kind, _ in rows] == ["floor"] + [""] * (len(rows) - 1)
        values = [value for _, value in rows[1:]]
        assert values == sorted(values, reverse=way < 0)


def test_a_click_on_a_number_opens_its_record(browser, path):
    show(browser, path, 1280)
    file = browser.execute_script(
        """const number = document.querySelector('.answer data');
        number.click();
        return number.dataset.record.split(' ')[0];"""
    )
    shown = """const row = document.getElementById(location.hash.slice(1));
        const top = row && row.getBoundingClientRect().top;
        return Boolean(row && row.cells && row.cells[0].textContent === arguments[0] && top >= 0 && top <= 900);"""
    assert file
    WebDriverWait(browser, 10).until(lambda _: browser.execute_script(shown, file))


def test_a_number_is_reached_and_followed_by_keyboard_alone_and_a_table_is_one_stop(browser, path):
    """Arrows go from number to number, Enter to the row of its record, Back to the number again."""
    from selenium.webdriver import ActionChains, Keys

    show(browser, path, 1280)
    first, second, stops, numbers = browser.execute_script(
        """const table = document.querySelector('table.floored');
        const found = [...table.querySelectorAll('data[data-record]')];
        found[0].focus();
        return [found[0], found[1], found.filter(each => each.tabIndex === 0).length, found.length];"""
    )
    assert (stops, numbers > 20) == (1, True)
    focused = "return document.activeElement"
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
    assert browser.execute_script(focused) == second
    ActionChains(browser).send_keys(Keys.ARROW_LEFT).perform()
    assert browser.execute_script(focused) == first
    file = first.get_attribute("data-record").split()[0]
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    reached = "return document.activeElement.cells && document.activeElement.cells[0].textContent"
    WebDriverWait(browser, 10).until(lambda _: browser.execute_script(reached) == file)
    browser.back()
    WebDriverWait(browser, 10).until(lambda _: browser.execute_script(focused) == first)


def test_the_printed_page_is_at_most_fifty_sheets(browser, path):
    """All folded parts open, but further examples: of 77 sheets a third was white between rows."""
    show(browser, path, 1280)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    sheets = base64.b64decode(browser.print_page()).count(b"/Type /Page\n")
    assert 20 < sheets <= 50


def test_words_shown_are_a_third_of_what_they_were(browser, path):
    """33,800 words stood on the page of 2026-11-21, folded parts not counted."""
    show(browser, path, 1280)
    assert browser.execute_script("return document.body.innerText.split(/\\s+/).length") <= 33_800 / 3


def test_text_in_charts_is_legible_on_a_telephone(browser, path):
    """Not below 11 CSS pixels at 360."""
    show(browser, path, 360, opened=True)
    sizes = browser.execute_script(
        """return [...document.querySelectorAll('figure svg')].filter(svg => svg.getBoundingClientRect().width > 0)
        .map(svg => svg.getAttribute('font-size') * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)"""
    )
    assert sizes
    assert min(sizes) >= 11


def test_paper_shows_the_folded_parts(browser, path):
    show(browser, path, 1280)
    opened = """dispatchEvent(new Event('beforeprint'));
        const shut = document.querySelectorAll('details:not([open])').length;
        dispatchEvent(new Event('afterprint'));
        return [shut, document.querySelectorAll('details:not([open])').length]"""
    while_printing, after = browser.execute_script(opened)
    assert while_printing == 0
    assert after > 10


# -- menus -------------------------------------------------------------------------------------------------------------

CHOOSE = """const choose = (words, value) => {
      const label = [...document.querySelectorAll('.menus label')].find(each => each.textContent.startsWith(words));
      const select = label.querySelector('select');
      select.value = value;
      select.dispatchEvent(new Event('change'));
    };
    const visible = query => [...document.querySelectorAll(query)].filter(each => !each.closest('[hidden]'));"""


def test_claims_are_filtered_by_family_verdict_and_paper(browser, path):
    show(browser, path, 1280)
    cards, rows = browser.execute_script(
        CHOOSE + "return [visible('.claim').length, visible('details.paper [data-family]').length]"
    )
    assert cards == 12
    assert rows > 200
    found = browser.execute_script(
        CHOOSE
        + """choose('Family', 'sit');
        const families = visible('#claims [data-family]').map(each => each.dataset.family.split(' '));
        choose('Family', ''); choose('Verdict', 'holds in small');
        const words = visible('.claim').map(each => each.querySelector('h3 .badge').textContent);
        choose('Verdict', ''); choose('Paper', 'VAR');
        const papers = visible('#claims [data-paper]').map(each => each.dataset.paper);
        const said = document.querySelector('.menus output').textContent;
        choose('Paper', '');
        return [families, words, papers, said, visible('.claim').length]"""
    )
    families, words, papers, said, again = found
    assert families
    assert all("sit" in each for each in families)
    assert words
    assert all("holds in small" in each for each in words)
    assert set(papers) == {"VAR"}
    assert 0 < int(said.split()[0]) < int(said.split()[2])
    assert again == cards


def test_two_families_samples_stand_side_by_side_at_the_same_seeds(browser, path):
    show(browser, path, 1280)
    strips = browser.execute_script(
        CHOOSE
        + """choose('Compare', '1'); choose('with', '3'); choose('at', '2');
        const strips = document.querySelectorAll('section[id^=quality] .strip:not(.study .strip)');
        return [...strips].map(each => [each.getAttribute('aria-label'),
          each.style.backgroundPosition, each.getBoundingClientRect().width / each.getBoundingClientRect().height])"""
    )
    captions = browser.execute_script(
        "return [...document.querySelectorAll('[id^=quality] .samples figcaption')].map(each => each.textContent)"
    )
    assert [label for label, _, _ in strips] == [f"{captions[1]}, row 3", f"{captions[3]}, row 3"]
    for _, position, shape in strips:
        assert position in ("0px 40%", "0% 40%")  # the third of six rows
        assert shape == pytest.approx(89 / 8, rel=0.02)  # ten square images of 8 pixels, one apart


def test_another_machines_records_stand_behind_a_switch(browser, tmp_path):
    other = replace(ENVIRONMENT, machine="zz-older")
    older = full_set(environment=other, created_utc="2026-01-01T00:00:00+00:00")
    page = render([write(tmp_path, [*full_set(), *older])], tmp_path / "index.html", now=NOW)
    show(browser, page, 1280)
    script = """const parts = [...document.querySelectorAll('details.machine')];
        const open = () => parts.map(each => each.open);
        const before = open();
        document.querySelector('.other button').click();
        const after = open();
        document.querySelector('.other button').click();
        return [document.querySelector('.other').textContent, before, after, open()]"""
    line, before, after, again = browser.execute_script(script)
    assert line.startswith("On zz-older: same words")
    assert len(before) >= 2
    assert not any(before)
    assert all(after)
    assert not any(again)


def test_a_machine_of_which_nothing_is_folded_has_no_switch(browser, tmp_path):
    gpu = replace(ENVIRONMENT, machine="acme-gpu", device="cuda", gpu="ACME GPU")
    timed = ratios("transdiff-l", {"dit-xl-2": 4.0}, protocol_name="imagenet-256-ratios", environment=gpu)
    timed = replace(timed, created_utc="2025-01-01T00:00:00+00:00")
    show(browser, render([write(tmp_path, [*full_set(), timed])], tmp_path / "index.html", now=NOW), 1280)
    assert count(browser, ".other") == 1
    assert count(browser, "details.machine") == count(browser, ".other button") == 0


def test_without_javascript_every_claim_and_table_is_there(browser, path):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, path, 360)
        assert count(browser, "table") == path.read_text().count("<table")
        assert count(browser, "[hidden], .menus, .csv") == 0
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
