"""Whose weights were measured, and what the shipped ones say of their training."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from bench.analysis.weights import Weights, training_of, weights_stamp
from tests.fake_records import full_set, quality
from tests.pages import page_of, text_of
from tests.paths import ROOT


def made(model, origin=None, weights="ab" * 32, training_seed=0):
    found = quality(model, 2.0)
    found = replace(found, protocol=replace(found.protocol, training_seed=training_seed))
    return replace(found, inputs=replace(found.inputs, weights_origin=origin, weights_sha256=weights))


def test_the_stamp_tells_shipped_retrained_and_mixed_weights_apart():
    shipped, retrained = made("dit-digits", "shipped"), made("sit-digits", "trained here")
    assert weights_stamp([shipped, shipped]) == Weights("", "Weights: shipped with the package.")
    assert weights_stamp([retrained]).stamp == "RETRAINED WEIGHTS"
    assert "trained anew" in weights_stamp([retrained]).text
    assert weights_stamp([shipped, retrained]) == Weights(
        "MIXED WEIGHTS", "Weights shipped with the package: dit-digits; trained anew: sit-digits."
    )
    released = made("mar-l", "released")
    assert weights_stamp([shipped, released]) == Weights(
        "", "Weights shipped with the package: dit-digits; released: mar-l."
    )


def test_weights_of_unknown_origin_are_named_beside_known_ones_and_say_nothing_alone():
    unknown, shipped = made("mar-digits"), made("dit-digits", "shipped")
    assert weights_stamp([unknown]) == weights_stamp([]) == Weights("", "")
    assert weights_stamp([unknown, shipped]).text == (
        "Weights of unrecorded origin: mar-digits; shipped with the package: dit-digits."
    )


def test_runs_without_weights_and_further_training_seeds_do_not_count():
    shipped = made("dit-digits", "shipped")
    others = [made("sit-digits", "trained here", None), made("sit-digits", "trained here", training_seed=1)]
    assert weights_stamp([shipped, *others]).stamp == ""
    assert weights_stamp(others) == Weights("", "")


def test_shipped_weights_say_how_they_were_trained():
    path = min((ROOT / "reference_models" / "weights").glob("*.safetensors"), key=lambda path: path.stat().st_size)
    content = path.read_bytes()
    head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    weights = hashlib.sha256(content).hexdigest()
    records = [made("some-model", "shipped", weights), made("another", "shipped"), made("bare", None, None)]
    assert training_of(records) == {"some-model": head}
    assert head


def test_the_report_says_whose_weights_it_shows(tmp_path):
    def by_origin(origin):
        return [
            replace(made, inputs=replace(made.inputs, weights_origin=origin))
            for made in full_set()
            if made.model != "real-data"
        ]

    shipped = page_of(tmp_path / "a", by_origin("shipped"))
    assert "Weights: shipped with the package." in text_of(shipped)
    assert "RETRAINED" not in shipped
    retrained = page_of(tmp_path / "b", by_origin("trained here"))
    assert "RETRAINED WEIGHTS Every model was trained anew" in text_of(retrained)
    assert "<title>RETRAINED WEIGHTS: " in retrained
