"""What a point of a study costs is counted: twice the steps, about twice the operations; the batch adds nothing."""

from __future__ import annotations

import pytest

from bench.evaluators import Context
from bench.evaluators.costs import measure_costs
from bench.models import build_for
from bench.protocols import PROTOCOLS
from bench.records.schema import RunSpec

COSTS = PROTOCOLS["digits-costs"]


@pytest.mark.parametrize("name", ["sit-digits", "llamagen-digits"])
def test_flops_are_those_of_one_image_at_the_runs_settings(name, tmp_path):
    model = build_for(name, COSTS, "cpu", tmp_path)

    def counted(**settings):
        found = measure_costs(model, RunSpec(name, COSTS, settings), Context("cpu", tmp_path, ""))["measurements"]
        return found["flops"].value, found["nfe"].value

    if name == "llamagen-digits":  # 16 tokens, with guidance two rows: no row added so that batches are equal
        guided, plain = counted(), counted(cfg_scale=1.0)
        assert 1.3 < guided[0] / plain[0] <= 2
        return
    few, many = counted(num_steps=4), counted(num_steps=8)
    assert many[1] == 2 * few[1]
    assert 1.8 < many[0] / few[0] <= 2
