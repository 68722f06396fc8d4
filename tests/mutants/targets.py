"""The code that judges, and each file's own tests: the quick ones first, for one that fails is enough."""

from __future__ import annotations

REGISTRY = "tests/metrics/test_registry.py"  # of all metrics: directions
SCORES = (REGISTRY, "tests/metrics/test_metrics.py")
DRAWS = "tests/metrics/test_draws.py"  # seeds of intervals
NETWORKS = "tests/analysis/test_networks.py"
VERDICT = tuple(f"tests/verdict/test_{name}.py" for name in ("judge", "seeds", "speed_verdicts", "estimates"))
VERDICT += ("tests/verdict/test_scenes_pairs.py",)
TIMING = "tests/timing/test_"

TARGETS: dict[str, tuple[str, ...]] = {
    "bench/stats.py": ("tests/test_stats.py", "tests/test_two_level.py", "tests/metrics/test_intervals.py"),
    "bench/metrics/__init__.py": (REGISTRY,),
    "bench/metrics/audit.py": ("tests/metrics/test_audit.py",),
    "bench/metrics/captions.py": ("tests/metrics/test_captions.py", REGISTRY),
    "bench/metrics/feature_similarity.py": ("tests/metrics/test_feature_similarity.py", REGISTRY),
    "bench/metrics/fid.py": ("tests/metrics/test_fid_errors.py", REGISTRY, DRAWS, "tests/metrics/test_fid.py"),
    "bench/metrics/geneval.py": ("tests/metrics/test_geneval.py", REGISTRY),
    "bench/metrics/inception_score.py": ("tests/metrics/test_inception_score.py", DRAWS, *SCORES),
    "bench/metrics/item_scores.py": ("tests/metrics/test_item_scores.py", "tests/metrics/test_vqa.py"),
    "bench/metrics/kid.py": ("tests/metrics/test_kid.py", DRAWS, *SCORES),
    "bench/metrics/latency.py": ("tests/metrics/test_latency.py", *SCORES),
    "bench/metrics/precision_recall.py": ("tests/metrics/test_precision_recall.py", DRAWS, *SCORES),
    "bench/metrics/scene_check.py": ("tests/metrics/test_scene_check.py", REGISTRY),
    "bench/metrics/second_look.py": ("tests/metrics/test_second_look.py", REGISTRY),
    "bench/metrics/size.py": (REGISTRY, "tests/metrics/test_latency.py", "tests/metrics/test_metrics.py"),
    "bench/metrics/stages.py": ("tests/metrics/test_stages.py",),
    "bench/metrics/text_audit.py": ("tests/metrics/test_text_audit.py",),
    "bench/metrics/vqa.py": ("tests/metrics/test_vqa.py", REGISTRY),
    "bench/metrics/yes_no.py": ("tests/metrics/test_vqa.py", REGISTRY),
    "bench/analysis/evidence.py": ("tests/analysis/test_evidence.py",),
    "bench/analysis/formulas.py": ("tests/analysis/test_evidence.py", "tests/report/test_evidence.py"),
    "bench/analysis/forecast.py": ("tests/analysis/test_forecast.py",),
    "bench/analysis/front.py": ("tests/analysis/test_front.py",),
    "bench/analysis/machines.py": ("tests/analysis/test_machines.py",),
    "bench/analysis/over_seeds.py": ("tests/analysis/test_followed_numbers.py",),
    "bench/analysis/records.py": ("tests/analysis/test_records.py",),
    "bench/analysis/seeds.py": ("tests/analysis/test_seeds.py", NETWORKS),
    "bench/analysis/speed.py": ("tests/analysis/test_speed.py",),
    "bench/analysis/speedups.py": ("tests/analysis/test_speed.py",),
    "bench/analysis/stage_numbers.py": ("tests/analysis/test_followed_numbers.py",),
    "bench/analysis/studies.py": ("tests/analysis/test_studies.py", NETWORKS),
    "bench/analysis/table.py": ("tests/analysis/test_table.py",),
    "bench/analysis/weights.py": ("tests/analysis/test_weights.py",),
    "bench/verdict/finding.py": ("tests/verdict/test_finding.py", *VERDICT),
    "bench/verdict/judge.py": ("tests/verdict/test_choice.py", "tests/verdict/test_made_elsewhere.py", *VERDICT),
    "bench/verdict/pair.py": ("tests/verdict/test_pair_edges.py", "tests/verdict/test_judge_counts.py", *VERDICT),
    "bench/verdict/scenes.py": ("tests/verdict/test_scenes_pairs.py",),
    "bench/verdict/seeds.py": ("tests/verdict/test_seeds.py",),
    "bench/verdict/speed.py": ("tests/verdict/test_speed_edges.py", *VERDICT),
    "bench/evaluators/feature_scores.py": ("tests/evaluators/test_feature_scores.py",),
    "bench/timing/interleaved.py": (f"{TIMING}interleaved.py",),
    "bench/timing/model_cost.py": (f"{TIMING}model_cost.py", f"{TIMING}generation.py"),
    "bench/timing/other_load.py": (f"{TIMING}other_load.py", "tests/records/test_environment.py"),
    "bench/timing/roofline.py": (f"{TIMING}roofline.py",),
    "bench/timing/series.py": (f"{TIMING}series.py",),
    "bench/timing/settings.py": (f"{TIMING}series.py",),
    "bench/timing/speedup.py": (f"{TIMING}speedup.py",),
    "bench/timing/stages.py": (f"{TIMING}stages.py",),
    "bench/timing/sweep.py": (f"{TIMING}sweep.py", f"{TIMING}generation.py"),
    "reference_models/noise.py": ("tests/reference_models/test_noise.py",),
    "reference_models/samplers.py": (
        "tests/reference_models/test_samplers.py",
        "tests/reference_models/test_dopri5.py",
    ),
}
