"""Every claim in use on the records of a machine: what `judge` says, at the cost of one look through the records."""

from __future__ import annotations

from bench.verdict.judge import judge
from bench.verdict.judged import claims_of_page, judge_claim, verdicts_of
from tests.fake_records import composed, full_set, latency, quality, ratios


class Counted(list):
    """A list that counts how often it is looked through."""

    looks = 0

    def __iter__(self):
        self.looks += 1
        return super().__iter__()


RECORDS = [
    *full_set(),
    ratios("transdiff-digits", {"dit-digits": 2.8, "mar-digits": 3.1}),
    quality("transdiff-mrar-digits", 1.9),
    latency("var-digits", 0.01),
    composed("dit-xl-2", {"network": 396.0, "autoencoder": 4.0}, 3e13),
    composed("transdiff-l", {"transformer": 3.0, "decoder": 2.0, "autoencoder": 4.0}, 3e12),
]
SMALL_PAIRS = [ratios("transdiff-digits", {"dit-digits": 2.8, "sit-digits": 3.1})]


def test_the_verdicts_of_all_claims_are_those_of_each_on_all_records():
    claims = claims_of_page()
    found = verdicts_of(claims, RECORDS)
    assert found == [judge(claim, RECORDS) for claim in claims]
    assert len({verdict.word for each in found for verdict in each}) > 3


def test_however_many_claims_the_records_are_looked_through_a_few_times_alone():
    counted = Counted(RECORDS)
    verdicts_of(claims_of_page(), counted)
    assert 0 < counted.looks < 5


def test_what_one_machine_measured_comes_before_what_another_estimated():
    """x112 on a GPU that timed whole images, though a CPU estimated it later; in small the later machine answers."""
    (claim,) = (claim for claim in claims_of_page() if claim.id == "transdiff-latency-diffusion")
    baselines = {"dit-xl-2": 4.3, "sit-xl-2": 4.2}
    by_machine = {
        "cpu": [ratios("transdiff-l", baselines, protocol_name="imagenet-256-composed-ratios"), *SMALL_PAIRS],
        "gpu": [ratios("transdiff-l", baselines, protocol_name="imagenet-256-ratios"), *SMALL_PAIRS],
    }
    verdicts = {machine: judge(claim, records) for machine, records in by_machine.items()}
    assert "not run" not in (verdicts["cpu"][0].word, verdicts["gpu"][0].word)
    found = judge_claim(claim, verdicts, by_machine, by_machine)
    assert (found.paper.machine, found.paper.verdict.marker) == ("gpu", "")
    assert found.small is not None
    assert found.small.machine == "cpu"
