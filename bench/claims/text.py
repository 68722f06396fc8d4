"""Claims of Dual Diffusion (D-DiT): text by diffusion beside autoregressive models, and the steps it needs.

TEXT_CLAIMS are the headlines; BENCHMARK_CLAIMS are all the scores of its benchmark table, a claim each.

"Rivals autoregressive models" is an absence of difference, so in small it is judged with a margin: D-DiT may fall short
of a model of the same size, data and training images by MARGIN of that model's score.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.claims.sources import GPU, NOT_PUBLISHED, PAPERS
from bench.records.schema import Claim, Comparison, Source

D_DIT = PAPERS["D-DiT"]
BENCHMARK_TABLE = Source(
    paper=D_DIT,
    where="multi-modal benchmark table (CVPR 2025)",
    url="zijieli-jlee.github.io/dualdiff.github.io",
    standing="authors",
)
STEPS_TABLE = Source(
    paper=D_DIT,
    where="ablation over the number of text diffusion steps T, as one write-up of the paper tells it",
    url="arXiv:2501.00289",
    standing="secondary",
)
WEIGHTS = {  # by model: what a run needs
    "d-dit-512": "the released D-DiT weights (huggingface.co/JleeOfficial/dual_diff_sd3_512_sft for questions, "
    "dual_diff_sd3_512_base for captions)",
    "d-dit-256": f"weights of D-DiT (256), {NOT_PUBLISHED}",
}

AUTOREGRESSIVE = ("ar-vlm-digits",)
MARGIN = 0.05
ERRORS_ALLOWED = 1.3  # times: what the paper calls competitive, see ERRORS_REASON
ONE = {"num_steps": 1}  # all tokens at once: a task that this solves cannot tell how many steps are needed
FEW, MANY = {"num_steps": 4}, {"num_steps": 64}  # the ends of the printed curve up to its best CIDEr


def as_printed(
    metric: str, scale: str, data: str, *, subject: str = "d-dit-512", num_steps: int | None = None
) -> Comparison:
    """CIDEr is printed in hundredths of pycocoevalcap's."""
    return Comparison(
        kind="value",
        metric=metric,
        subject=subject,
        protocol=f"{scale}-{'captions' if metric == 'cider' else 'answers'}",
        scale=scale,
        better="higher",
        needs=(WEIGHTS[subject], data, GPU),
        units_per_printed=0.01 if metric == "cider" else 1.0,
        settings={} if num_steps is None else {"num_steps": num_steps},
    )


def rivals_in_small(metric: str, protocol: str, errors_of: str) -> Comparison:
    return Comparison(
        kind="direction",
        metric=metric,
        subject="d-dit-digits",
        baselines=AUTOREGRESSIVE,
        protocol=protocol,
        scale="scenes",
        better="higher",
        margin=MARGIN,
        errors_of=errors_of,
        errors_allowed=ERRORS_ALLOWED,
    )


def steps_in_small(
    metric: str,
    protocol: str,
    *,
    subject: dict[str, int],
    baseline: dict[str, int],
    margin: float,
    control: dict[str, int] | None = None,
) -> Comparison:
    """One number of text steps against another, same model, scenes and seeds."""
    return Comparison(
        kind="direction",
        metric=metric,
        subject="d-dit-digits",
        baselines=("d-dit-digits",),
        protocol=protocol,
        scale="scenes",
        better="higher",
        margin=margin,
        settings=subject,
        baseline_settings=baseline,
        control=control or {},
        commands=("python -m bench study text-steps",),
    )


COCO = "the images and captions of COCO"
VQA_V2 = "the images, questions and annotations of VQAv2"

ALTERNATIVE = (
    'The abstract calls D-DiT "a promising alternative to autoregressive next-token prediction models" and its '
    'performance "competitive [...] compared to recent unified image understanding and generation models".'
)
OUTSIDE_USERS = (
    'A user who ran the released weights reports "significantly lower metrics compared to the reported results" and '
    'that "the model frequently returns empty answers"; a second user confirms the empty answers only, "very '
    'frequent" (github.com/zijieli-Jlee/Dual-Diffusion issue #1, April 2025; independent). The released script cuts an '
    "answer at its first end token, which leaves nothing where that token comes first."
)
MARGIN_REASON = (
    "In small, 5 % of the baseline's score may be lacking: the same table prints D-DiT (256) 8 % below Show-O (256) on "
    "VQAv2 (59.5 against 64.7) and D-DiT (512) 13 % below Show-O (512) (60.1 against 69.4), whose text is "
    "autoregressive, and the paper calls its performance competitive, so that 5 % is stricter than its own word."
)
ERRORS_REASON = (
    "In small the errors are compared too, for scores near 100 % hide them: D-DiT may make 1.3 times those of its "
    "rival, as it does in the table (39.9 % wrong against 30.6 % of Show-O (512))."
)
TABLE_ON_VQA = (
    "The same table prints higher VQAv2 for autoregressive models, most of them larger: LLaVA-1.5 81.8, QWEN-VL 78.2, "
    "Show-O 69.4, BLIP-2 65.0; and lower for LWM 55.8, Flamingo 51.8, IDEFICS 50.9, CM3Leon 47.6, OpenFlamingo 43.5."
)
TABLE_ON_CIDER = (
    "The same table prints higher CIDEr for Flamingo 79.4, OpenFlamingo 65.5 and CM3Leon 61.6, all autoregressive, and "
    "lower for Transfusion 29.0 and Chameleon 18.0."
)
ONE_WRITE_UP = "The curve is known to us from a single secondary write-up, not from the paper itself."

TEXT_CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="d-dit-vqa",
        headline="D-DiT, which answers by diffusion, rivals autoregressive models in answering questions: VQAv2 60.1.",
        quote="D-DiT (512), 2B: VQAv2 60.1",
        value=60.1,
        unit="% on VQAv2",
        source=BENCHMARK_TABLE,
        tolerance=0.02,
        tolerance_reason="No spread is printed; the printed ablation over T scatters by about 2 % around its mean "
        "without a trend (58.0 to 60.5).",
        paper_scale=as_printed("vqa_accuracy", "vqa-v2", VQA_V2),
        in_small=rivals_in_small("vqa_accuracy", "scenes-answers", "vqa_accuracy"),
        conflicts=(
            TABLE_ON_VQA,
            OUTSIDE_USERS,
            "The ablation over T prints 60.0 at T = 64 and 60.5 at T = 32; which T the table used for "
            "questions is not stated where we could read.",
        ),
        caveat=f"{ALTERNATIVE} {MARGIN_REASON} {ERRORS_REASON} "
        "Which split of VQAv2 was scored is not stated where we could read.",
    ),
    Claim(
        id="d-dit-cider",
        headline="D-DiT, which writes captions by diffusion, rivals autoregressive models in captioning: CIDEr 56.2.",
        quote="D-DiT (512), 2B: CIDEr 56.2",
        value=56.2,
        unit="CIDEr",
        source=BENCHMARK_TABLE,
        tolerance=0.03,
        tolerance_reason="No spread is printed; 3 % is what the printed ablation moves between T = 64 and T = 128 "
        "(56.2 and 54.5).",
        paper_scale=as_printed("cider", "coco-captions", COCO),
        in_small=rivals_in_small("cider", "scenes-captions", "caption_accuracy"),
        conflicts=(TABLE_ON_CIDER, "The ablation over T prints 56.2 at T = 64 and 54.5 at T = 128."),
        caveat=f"{ALTERNATIVE} {MARGIN_REASON} {ERRORS_REASON} Of captions those not wholly right are the errors. "
        "Printed CIDEr is a hundred times that of pycocoevalcap, in which it is measured here.",
    ),
    Claim(
        id="d-dit-caption-steps",
        headline="Captions need many diffusion steps: at T = 4 D-DiT's CIDEr is 20.2, at T = 64 it is 56.2.",
        quote="T = 4: CIDEr 20.2 [...] T = 64: CIDEr 56.2",
        value=20.2,
        unit="CIDEr",
        source=STEPS_TABLE,
        tolerance=0.03,
        tolerance_reason="As for CIDEr 56.2; 3 % tells T = 4 from the 35.3 of T = 8.",
        paper_scale=as_printed("cider", "coco-captions", COCO, num_steps=4),
        in_small=steps_in_small("cider", "scenes-captions-study", subject=MANY, baseline=FEW, margin=0.0),
        conflicts=("More steps do not always help: T = 128 is printed with CIDEr 54.5, below T = 64.",),
        caveat=f"{ONE_WRITE_UP} In small: CIDEr at 64 steps against CIDEr at 4, the same model on the same scenes.",
    ),
    Claim(
        id="d-dit-vqa-steps",
        headline="Answers need few diffusion steps: at T = 4 D-DiT's VQAv2 is 58.8, at T = 64 it is 60.0.",
        quote="T = 4: VQAv2 58.8 [...] T = 64: VQAv2 60.0",
        value=58.8,
        unit="% on VQAv2",
        source=STEPS_TABLE,
        tolerance=0.02,
        tolerance_reason="As for VQAv2 60.1.",
        paper_scale=as_printed("vqa_accuracy", "vqa-v2", VQA_V2, num_steps=4),
        in_small=steps_in_small(
            "vqa_accuracy", "scenes-answers-study", subject=FEW, baseline=MANY, margin=MARGIN, control=ONE
        ),
        conflicts=(
            "The benchmark table prints 60.1 where the curve ends at 60.0 (T = 64) and 59.6 (T = 128).",
            OUTSIDE_USERS,
        ),
        caveat=f"{ONE_WRITE_UP} In small: accuracy at 4 steps may fall short of that at 64 by 5 %; the printed 58.8 "
        "falls short of 60.0 by 2 %. An answer here is a word or two: were one step enough, small could not tell.",
    ),
)


# -- the benchmark table -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Benchmark:
    """A column of the paper's benchmark table."""

    name: str  # as printed
    metric: str
    scale: str
    data: str  # what a run needs
    unit: str
    printed: dict[str, str]  # by model, as printed

    def claim_id(self, model: str) -> str:
        return f"{model}-{self.name.split(',')[0].lower()}"


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark("CIDEr, COCO", "cider", "coco-captions", COCO, "CIDEr", {"d-dit-512": "56.2"}),
    Benchmark("VQAv2", "vqa_accuracy", "vqa-v2", VQA_V2, "%", {"d-dit-256": "59.5", "d-dit-512": "60.1"}),
    Benchmark("VizWiz", "vqa_accuracy", "vizwiz", "VizWiz's files", "%", {"d-dit-256": "19.4", "d-dit-512": "29.9"}),
    Benchmark("OKVQA", "vqa_accuracy", "okvqa", "OK-VQA's files", "%", {"d-dit-256": "28.5", "d-dit-512": "25.3"}),
    Benchmark("GQA", "gqa_accuracy", "gqa", "GQA's files", "%", {"d-dit-256": "55.1", "d-dit-512": "59.2"}),
    Benchmark("POPE", "pope_accuracy", "pope", "POPE's files", "%", {"d-dit-256": "79.2", "d-dit-512": "84.0"}),
    # Printed up to 1500.1 (LLaVA-1.5), so it is the perception half (inferred).
    Benchmark(
        "MME", "mme_perception", "mme", "MME's files", "MME score", {"d-dit-256": "897.5", "d-dit-512": "1124.7"}
    ),
)


def benchmark_claim(benchmark: Benchmark, model: str) -> Claim:
    """The claim of one cell of the table."""
    printed = benchmark.printed[model]
    return Claim(
        id=benchmark.claim_id(model),
        headline=f"{model} reaches {printed} on {benchmark.name}.",
        quote=printed,
        value=float(printed),
        unit=benchmark.unit,
        source=BENCHMARK_TABLE,
        tolerance=0.03,
        tolerance_reason="No spread is printed. 3 % still tells the 256 from the 512 model wherever both are printed, "
        "but on VQAv2.",
        paper_scale=as_printed(benchmark.metric, benchmark.scale, benchmark.data, subject=model),
        in_small=None,
        conflicts=(OUTSIDE_USERS,) if model == "d-dit-512" else (),
    )


BENCHMARK_CLAIMS: tuple[Claim, ...] = tuple(
    benchmark_claim(benchmark, model) for benchmark in BENCHMARKS for model in benchmark.printed
)
