"""Numbers in words: as many digits as an interval deserves, units that people use."""

from __future__ import annotations

import pytest

from bench.formatting import Unit, display_unit, interval, listed, number, quantity


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


def test_lists_read_as_sentences():
    assert [listed(list(names)) for names in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
