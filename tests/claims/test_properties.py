"""Whatever number is printed: it is read back as it was written, and a file that holds it makes the claim of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.claims.files import check_claims
from bench.claims.printed import PRINTED_UNITS, read_printed
from tests.claims_file import CLAIM, SOURCE
from tests.properties import drawn

UNITS = st.sampled_from(["", *PRINTED_UNITS])
DECIMALS = st.integers(0, 4)


@drawn
@given(st.integers(0, 10**8), DECIMALS, UNITS)
def test_a_printed_number_is_read_with_what_its_rounding_hides(digits: int, decimals: int, unit: str) -> None:
    text = f"{digits / 10**decimals:.{decimals}f}{unit}"
    value, half_unit = read_printed(text)
    size = PRINTED_UNITS.get(unit, 1.0)
    assert value == pytest.approx(digits / 10**decimals * size)
    assert half_unit == pytest.approx(0.5 / 10**decimals * size)
    nearer = f"{value / size + 0.4 * half_unit / size:.{decimals}f}{unit}"
    assert nearer == text, "a number that rounds to the same print lies within half a unit"


@drawn
@given(st.text(max_size=12) | st.text("0123456789.,MB% +-e", max_size=8))
def test_what_is_no_printed_number_is_refused(text: str) -> None:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})? ?[MB%]?", text):
        with pytest.raises(ValueError, match=r"is not a number as papers print it, .*\Z"):
            read_printed(text)


@drawn
@given(st.integers(1, 99_999), st.integers(0, 3))
def test_a_file_makes_the_claim_of_the_number_it_holds(tmp_path_factory, digits: int, decimals: int) -> None:
    printed = f"{digits / 10**decimals:.{decimals}f}"
    file = tmp_path_factory.mktemp("claims") / "claims.toml"
    file.write_text(SOURCE + CLAIM.replace('"1.95"', f'"{printed}"'))
    ((claim,), mistakes) = check_claims(file)
    assert mistakes == []
    assert (claim.quote, claim.value) == (printed, read_printed(printed)[0])
    assert claim.tolerance > 0


@drawn
@given(st.sampled_from(["id", "model", "metric", "printed", "protocol", "source"]), st.text(max_size=20))
def test_a_file_with_any_text_in_a_place_is_a_claim_or_lines_that_name_the_place(tmp_path_factory, key, text) -> None:
    line = next(each for each in CLAIM.splitlines() if each.startswith(f"{key} ="))
    escaped = "".join(f"\\U{ord(letter):08X}" for letter in text)
    file = tmp_path_factory.mktemp("claims") / "claims.toml"
    file.write_text(SOURCE + CLAIM.replace(line, f'{key} = "{escaped}"'))
    claims, mistakes = check_claims(file)
    assert bool(claims) != bool(mistakes)
    assert all(key in mistake and "\n" not in mistake for mistake in mistakes)
