"""Whose weights a report shows: shipped, trained anew, of several origins, unknown."""

from __future__ import annotations

from dataclasses import replace

from bench.analysis.weights import weights_stamp
from tests.fake_records import full_set, study_set
from tests.pages import page_of, text_of


def by_origin(**origins):
    return [
        replace(made, inputs=replace(made.inputs, weights_origin=origins.get(made.family)))
        for made in full_set()
        if made.model != "real-data"
    ]


def test_the_report_says_whose_weights_it_shows(tmp_path):
    shipped = page_of(tmp_path / "a", by_origin(transdiff="shipped", mar="shipped", dit="shipped"))
    assert "Weights: shipped with the package." in text_of(shipped)
    assert "RETRAINED" not in shipped
    retrained = page_of(tmp_path / "b", by_origin(transdiff="trained here", mar="trained here", dit="trained here"))
    assert "RETRAINED WEIGHTS Every model was trained anew" in text_of(retrained)
    assert "<title>RETRAINED WEIGHTS: " in retrained


def test_weights_of_several_origins_are_told_by_model_and_unknown_ones_not_guessed():
    mixed = weights_stamp(by_origin(transdiff="trained here", mar="shipped", dit="shipped"))
    assert mixed.stamp == "MIXED WEIGHTS"
    assert mixed.text == "Weights trained anew: transdiff-digits; shipped with the package: mar-digits and dit-digits."
    partly = weights_stamp(by_origin(transdiff="shipped", mar="shipped"))
    assert partly.text == (
        "Weights shipped with the package: transdiff-digits and mar-digits; of unrecorded origin: dit-digits."
    )
    assert weights_stamp(full_set()).text == ""


def test_further_training_seeds_do_not_make_the_report_a_retrained_one():
    seeds = [
        replace(made, inputs=replace(made.inputs, weights_origin="trained here"))
        for made in study_set(["training-seeds"])
        if made.protocol.training_seed
    ]
    found = weights_stamp([*by_origin(transdiff="shipped", mar="shipped", dit="shipped"), *seeds])
    assert found.text == "Weights: shipped with the package."
