"""What the metrics mean: which way each is better, and that each says what it is."""

from __future__ import annotations

from bench.metrics import METRICS, title_of

BETTER_LOW = {
    *("fid_fixed", "fid_per_class", "latency_s", "latency_p90_s", "latency_p95_s", "latency_p99_s"),
    *("nfe", "flops", "peak_memory_bytes"),
    "fid",
    "fid_clean",
    "sfid",
    "fid_infinity",
    "kid",
}
BETTER_HIGH = {
    *(
        "inception_score",
        "precision",
        "recall",
        "bleu1",
        "bleu2",
        "bleu3",
        "bleu4",
        "meteor",
        "rouge_l",
        "cider",
        "spice",
    ),
    *(
        "vqa_accuracy",
        "vqa_accuracy_yes_no",
        "vqa_accuracy_number",
        "vqa_accuracy_other",
        "vqa_accuracy_d_dit",
        "vqa_agreement",
    ),
    *("vqa_accuracy_unanswerable", "vizwiz_unanswerable_f1", "vizwiz_unanswerable_ap"),
    *("gqa_accuracy", "gqa_accuracy_open", "gqa_accuracy_binary"),
    *("pope_accuracy", "pope_precision", "pope_recall", "pope_f1"),
    *("mme_accuracy", "mme_accuracy_plus", "mme_score", "mme_perception", "mme_cognition"),
    *("caption_accuracy", "scene_accuracy", "scene_single_object", "scene_two_objects", "scene_counting"),
    *("geneval_overall", "geneval_single_object", "geneval_two_objects", "geneval_counting", "geneval_colours"),
    *("geneval_position", "geneval_attribution"),
    *("scene_colours", "scene_position", "scene_attribution", "throughput_per_s", "texts_per_s"),
}
NEITHER = {"pope_yes_ratio", "feature_similarity", "nearest_train", "num_params", "decoder_share", "decoder_time_share"}


def test_which_way_each_metric_is_better():
    """A flag that is turned round would turn verdicts round: each score is named here once more."""
    for name in BETTER_LOW:
        assert METRICS[name].higher_is_better is False, name
    for name in BETTER_HIGH:
        assert METRICS[name].higher_is_better is True, name
    for name in NEITHER:
        assert METRICS[name].higher_is_better is None, name
    assert METRICS.keys() == BETTER_LOW | BETTER_HIGH | NEITHER


def test_every_metric_says_what_it_is():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.title
        assert metric.what
        assert metric.version >= 1


def test_a_metric_whose_number_changed_says_so():
    """KID was corrected for class-balanced images: records of before are not compared with later ones."""
    changed = {name: metric.version for name, metric in METRICS.items() if metric.version != 1}
    assert changed == {"kid": 2}
    assert [bool(metric.earlier) for metric in METRICS.values()].count(True) == len(changed)


def test_a_metric_of_a_later_version_goes_by_its_name():
    assert title_of("fid") == METRICS["fid"].title
    assert title_of("of_tomorrow") == "of_tomorrow"
