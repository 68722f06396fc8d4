"""CLAIMS: every headline number that can be judged, quoted with its source; SIZE_CLAIMS: every printed model size;
PUBLISHED_*: printed numbers as context.

A claim is quoted, not interpreted. Two printed numbers that disagree are two claims (or a claim and its `conflicts`),
shown side by side, never averaged. `in_small` is the direction of a claim that models of the digits scale can answer:
no number of a paper is ever compared with a number measured on 8x8 digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.records import Claim, Comparison, Source

# Which baselines make which claim: the abstract speaks of "AR Transformer" and of "diffusion-only" models.
AR_BASELINES = ("mar-digits", "llamagen-digits", "var-digits")
DIFFUSION_BASELINES = ("dit-digits", "sit-digits")

TRANSDIFF = "TransDiff (arXiv 2506.09482)"
ABSTRACT = Source(paper=TRANSDIFF, where="abstract", url="arXiv:2506.09482", standing="authors")
ISSUE_1 = Source(
    paper=TRANSDIFF,
    where='issue #1: "VAR-d20 vs DiT-XL/2 vs TransDiff-L, 1 step AR = 0.5s vs 45s vs 0.2s"',
    url="github.com/TransDiff/TransDiff/issues/1",
    standing="authors, informal",
)

Better = Literal["lower", "higher"]

GPU = "a GPU"
STATISTICS = "the ImageNet-256 reference statistics (ADM's VIRTUAL_imagenet256_labeled.npz)"


def weights(file: str) -> str:
    return f"the released TransDiff weights (huggingface.co/zhendch/Transdiff, {file}/checkpoint-last.pth)"


def quality_as_printed(metric: str, subject: str, file: str, better: Better = "lower") -> Comparison:
    return Comparison(
        kind="value",
        metric=metric,
        subject=subject,
        protocol="imagenet-256-quality",
        scale="imagenet-256",
        better=better,
        needs=(weights(file), STATISTICS, GPU),
    )


def latency_as_printed(baseline: str) -> Comparison:
    """Speed needs no trained weights: the paper's sizes with random weights take the same time."""
    return Comparison(
        kind="ratio",
        metric="latency_s",
        subject="transdiff-l",
        baselines=(baseline,),
        protocol="imagenet-256-latency",
        scale="imagenet-256",
        needs=(GPU,),
    )


def quality_in_small(metric: str, better: Better = "lower") -> Comparison:
    return Comparison(
        kind="direction",
        metric=metric,
        subject="transdiff-digits",
        baselines=AR_BASELINES + DIFFUSION_BASELINES,
        protocol="digits-quality",
        scale="digits",
        better=better,
    )


def latency_in_small(baselines: tuple[str, ...]) -> Comparison:
    return Comparison(
        kind="direction",
        metric="latency_s",
        subject="transdiff-digits",
        baselines=baselines,
        protocol="digits-latency",
        scale="digits",
    )


README_PAIRS = (
    "The README of the authors' repository (@0081b3a) prints FID 1.61 with IS 282.0 for TransDiff-H, and IS 293.4 with "
    "FID 1.49 for TransDiff-L MRAR.",
    "On 2025-06-20 the README's FID column was re-ordered and its IS column was not; the same re-order applied to IS "
    "gives TransDiff-H 1.61 with 293.4, as in the abstract (inferred, printed nowhere).",
    "Before that date, and on the Hugging Face card, the README gave 1.61 with 293.4 to TransDiff-L MRAR (superseded).",
)
EVALUATION_CAVEAT = (
    "The README's evaluation commands omit `--sampler maruyama`, without which the released code raises; "
    "`--num_sampling_steps` never reaches the sampler, which always takes 100 steps; and every batch is reseeded from "
    "a random integer, so that batches can repeat."
)
UNSTATED = (
    "The abstract does not say which models, hardware or batch size were compared, nor does any part of the paper that "
    "we could read. At the paper's scale we take the models that the authors name in issue #1."
)
MAYBE_RELATIVE = (
    "0.5 and 45 are also the relative times that VAR's table 1 prints for VAR-d20 and DiT-XL/2 (VAR-d30 = 1), so the "
    "figures of issue #1 may not be seconds."
)
BY_COUNTING = (
    "Counting the arithmetic: TransDiff-L runs its 278M decoder 100 times for an image, DiT-XL/2 its 675M network 250 "
    "times, both with guidance. That is about x4 (inferred)."
)
RAR_TABLE_5 = (
    "RAR's table 5 (one A100, float32, batch 128; independent) measures DiT-XL/2 at 0.6 images/s, VAR-d30 at 17.3 and "
    'MAR-B/L/H at 0.8/0.5/0.3: among AR models alone the speed differs by a factor above 20, so a ratio against "AR" '
    "depends on the model chosen."
)
DECODER_SHARE = (
    "The authors put the decoder's share of the parameters at 33 % (issue #1); counting gives 41 % (TransDiff-L: 277.8 "
    "of 682.5M)."
)

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="transdiff-fid",
        headline="TransDiff reaches FID 1.61 on ImageNet-256, better than AR-only and diffusion-only models.",
        quote="Fréchet Inception Distance (FID) of 1.61",
        value=1.61,
        unit="FID-50K",
        source=ABSTRACT,
        tolerance=0.03,
        tolerance_reason="FID of one set of weights varies by 1-2 % (coefficient of variation, arXiv 2606.20536); "
        "3 % is about twice that, and still tells 1.61 from the 1.69 of TransDiff-L.",
        paper_scale=quality_as_printed("fid", "transdiff-h", "transdiff_h"),
        in_small=quality_in_small("fid"),
        conflicts=(
            *README_PAIRS,
            "A lower FID is printed for a model based on an AR Transformer alone: MAR-H 1.55 (MAR, table 4).",
        ),
        caveat="The abstract names no size; the README gives 1.61 to TransDiff-H. The real validation images score "
        "about 1.68 against the training statistics, so 1.61 lies below the real-data floor. "
        f"{EVALUATION_CAVEAT}",
    ),
    Claim(
        id="transdiff-inception-score",
        headline="TransDiff reaches Inception Score 293.4 on ImageNet-256, better than AR-only and diffusion-only "
        "models.",
        quote="Inception Score (IS) of 293.4",
        value=293.4,
        unit="Inception Score",
        source=ABSTRACT,
        tolerance=0.02,
        tolerance_reason="No spread is printed. 2 % must do, because the README's other figure for the same model, "
        "282.0, is only 3.9 % away.",
        paper_scale=quality_as_printed("inception_score", "transdiff-h", "transdiff_h", better="higher"),
        in_small=quality_in_small("inception_score", better="higher"),
        conflicts=(
            *README_PAIRS,
            "Higher scores are printed for models based on AR Transformers alone: MAR-L 296.0 and MAR-H 303.7 (MAR, "
            "table 4), VAR-d30 323.1 (VAR, table 1).",
        ),
        caveat="Guidance can buy Inception Score at the price of FID.",
    ),
    Claim(
        id="mrar-fid",
        headline="Multi-Reference Autoregression (MRAR) lowers TransDiff's FID from 1.61 to 1.42.",
        quote="the FID reduced from 1.61 to 1.42",
        value=1.42,
        unit="FID-50K",
        source=ABSTRACT,
        tolerance=0.03,
        tolerance_reason="As for FID 1.61; 3 % still tells 1.42 from the 1.49 of TransDiff-L MRAR.",
        paper_scale=quality_as_printed("fid", "transdiff-mrar-h", "transdiff_h_mrar"),
        in_small=Comparison(
            kind="direction",
            metric="fid",
            subject="transdiff-mrar-digits",
            baselines=("transdiff-digits",),
            protocol="digits-quality",
            scale="digits",
        ),
        conflicts=(
            "The README pairs FID 1.42 with IS 301.2 (TransDiff-H MRAR) before and after the re-order of 2025-06-20; "
            "the other MRAR rows moved: 1.49 stood beside TransDiff-B MRAR and stands beside TransDiff-L MRAR today.",
        ),
        caveat="MRAR is fine-tuned for 40 further epochs and takes four encoder passes and 400 decoder steps for an "
        "image instead of one and 100: it is compared with a cheaper model. 1.42 lies below the real-data floor of "
        "about 1.68.",
    ),
    Claim(
        id="transdiff-latency-ar",
        headline="TransDiff is x2 faster than models based on AR Transformers alone.",
        quote="x2 faster inference latency compared to state-of-the-art methods based on AR Transformer",
        value=2.0,
        unit="times",
        source=ABSTRACT,
        tolerance=0.25,
        tolerance_reason="One digit is printed: x2 stands for anything from 1.5 to 2.5.",
        paper_scale=latency_as_printed("var-d20"),
        in_small=latency_in_small(AR_BASELINES),
        conflicts=("The authors' own figures in issue #1 give 0.5/0.2 = x2.5.", MAYBE_RELATIVE, RAR_TABLE_5),
        caveat=f"{UNSTATED} {DECODER_SHARE}",
    ),
    Claim(
        id="transdiff-latency-diffusion",
        headline="TransDiff is x112 faster than diffusion-only models.",
        quote="x112 faster inference compared to diffusion-only models",
        value=112.0,
        unit="times",
        source=ABSTRACT,
        tolerance=0.25,
        tolerance_reason="Hardware, batch and models are not stated, so the two-sided 25 % of x2 is granted here too: "
        "84 to 140. Neither x4 (counted) nor x225 (issue #1) lies inside.",
        paper_scale=latency_as_printed("dit-xl-2"),
        in_small=latency_in_small(DIFFUSION_BASELINES),
        conflicts=("The authors' own figures in issue #1 give 45/0.2 = x225.", BY_COUNTING, MAYBE_RELATIVE),
        caveat=UNSTATED,
    ),
    Claim(
        id="transdiff-latency-ar-informal",
        headline="TransDiff-L is x2.5 faster than VAR-d20.",
        quote="VAR-d20 vs [...] TransDiff-L, 1 step AR = 0.5s vs [...] 0.2s",
        value=2.5,
        unit="times",
        source=ISSUE_1,
        tolerance=0.25,
        tolerance_reason="0.2 is printed with one digit: 0.15 to 0.25 makes the ratio 2 to 3.3.",
        paper_scale=latency_as_printed("var-d20"),
        in_small=latency_in_small(("var-digits",)),
        conflicts=("The abstract says x2.", MAYBE_RELATIVE),
        caveat="Hardware and batch size are not given.",
    ),
    Claim(
        id="transdiff-latency-diffusion-informal",
        headline="TransDiff-L is x225 faster than DiT-XL/2.",
        quote="[...] DiT-XL/2 vs TransDiff-L, 1 step AR = [...] 45s vs 0.2s",
        value=225.0,
        unit="times",
        source=ISSUE_1,
        tolerance=0.25,
        tolerance_reason="0.2 is printed with one digit: 0.15 to 0.25 makes the ratio 180 to 300.",
        paper_scale=latency_as_printed("dit-xl-2"),
        in_small=latency_in_small(("dit-digits",)),
        conflicts=("The abstract says x112.", BY_COUNTING, MAYBE_RELATIVE),
        caveat="Hardware and batch size are not given.",
    ),
)


# -- printed numbers, as context ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PublishedQuality:
    """Scores of one model as printed, ImageNet 256x256, 50,000 images. "" where none is printed."""

    model: str
    fid: str
    inception_score: str
    params: str = ""


@dataclass(frozen=True)
class PublishedSpeed:
    """One printed speed, in the unit of its source."""

    model: str
    number: str
    unit: str


@dataclass(frozen=True)
class PublishedSize:
    """Size of one model as printed. "" where none is printed."""

    model: str  # its name here
    params: str = ""  # as "290M"
    gflops: str = ""  # 1e9 multiply-adds of one forward, as "118.64"
    decoder_share: str = ""  # of the parameters, as "33 %"
    half_unit: float | None = None  # what the rounding of `params` may hide; None: half a unit of its last digit


@dataclass(frozen=True)
class Published:
    """What one source prints: a group of rows in the report."""

    where: str  # paper and table
    url: str  # without a scheme
    standing: str  # as in Source
    rows: tuple[PublishedQuality, ...] | tuple[PublishedSpeed, ...] | tuple[PublishedSize, ...]
    note: str = ""


PUBLISHED_QUALITY: tuple[Published, ...] = (
    Published(
        where="TransDiff, abstract",
        url="arXiv:2506.09482",
        standing="authors",
        rows=(
            PublishedQuality("TransDiff (size not named)", "1.61", "293.4"),
            PublishedQuality("TransDiff with MRAR (size not named)", "1.42", ""),
        ),
    ),
    Published(
        where="TransDiff, README today",
        url="github.com/TransDiff/TransDiff README @0081b3a",
        standing="authors",
        note="Its IS column is doubtful: FID was re-ordered on 2025-06-20, IS was not.",
        rows=(
            PublishedQuality("TransDiff-B", "2.47", "244.2", "290M"),
            PublishedQuality("TransDiff-L", "1.69", "244.3", "683M"),
            PublishedQuality("TransDiff-H", "1.61", "282.0", "1.3B"),
            PublishedQuality("TransDiff-B MRAR", "2.25", "282.2", "290M"),
            PublishedQuality("TransDiff-L MRAR", "1.49", "293.4", "683M"),
            PublishedQuality("TransDiff-H MRAR", "1.42", "301.2", "1.3B"),
        ),
    ),
    Published(
        where="TransDiff, README before 2025-06-20 and Hugging Face card",
        url="github.com/TransDiff/TransDiff README @44ef5b7",
        standing="authors, superseded",
        rows=(
            PublishedQuality("TransDiff-B", "2.47", "244.2", "290M"),
            PublishedQuality("TransDiff-L", "2.25", "244.3", "683M"),
            PublishedQuality("TransDiff-H", "1.69", "282.0", "1.3B"),
            PublishedQuality("TransDiff-B MRAR", "1.49", "282.2", "290M"),
            PublishedQuality("TransDiff-L MRAR", "1.61", "293.4", "683M"),
            PublishedQuality("TransDiff-H MRAR", "1.42", "301.2", "1.3B"),
        ),
    ),
    Published(
        where="TransDiff, both columns re-ordered alike",
        url="printed nowhere",
        standing="inferred",
        note="The re-order of the FID column applied to IS too; agrees with the abstract.",
        rows=(
            PublishedQuality("TransDiff-B", "2.47", "244.2", "290M"),
            PublishedQuality("TransDiff-L", "1.69", "282.0", "683M"),
            PublishedQuality("TransDiff-H", "1.61", "293.4", "1.3B"),
            PublishedQuality("TransDiff-B MRAR", "2.25", "244.3", "290M"),
            PublishedQuality("TransDiff-L MRAR", "1.49", "282.2", "683M"),
            PublishedQuality("TransDiff-H MRAR", "1.42", "301.2", "1.3B"),
        ),
    ),
    Published(
        where="MAR, table 4, with guidance",
        url="arXiv:2406.11838",
        standing="authors",
        rows=(
            PublishedQuality("MAR-B", "2.31", "281.7", "208M"),
            PublishedQuality("MAR-L", "1.78", "296.0", "479M"),
            PublishedQuality("MAR-H", "1.55", "303.7", "943M"),
        ),
    ),
    Published(
        where="LlamaGen, table 8, 16x16 tokens",
        url="arXiv:2406.06525",
        standing="authors",
        rows=(
            PublishedQuality("LlamaGen-B", "5.464", "193.613", "111M"),
            PublishedQuality("LlamaGen-L", "3.805", "248.28", "343M"),
            PublishedQuality("LlamaGen-XL", "3.391", "227.081", "775M"),
            PublishedQuality("LlamaGen-XXL", "3.094", "253.609", "1.4B"),
            PublishedQuality("LlamaGen-3B", "3.05", "222.33", "3.1B"),
        ),
    ),
    Published(
        where="VAR, table 1",
        url="arXiv:2404.02905",
        standing="authors",
        note="The first README printed FID 3.55, 2.95, 2.33 and 1.97 (superseded).",
        rows=(
            PublishedQuality("VAR-d16", "3.30", "274.4", "310M"),
            PublishedQuality("VAR-d20", "2.57", "302.6", "600M"),
            PublishedQuality("VAR-d24", "2.09", "312.9", "1.0B"),
            PublishedQuality("VAR-d30", "1.92", "323.1", "2.0B"),
        ),
    ),
    Published(
        where="DiT, table 2, guidance 1.5",
        url="arXiv:2212.09748",
        standing="authors",
        note="The authors' PyTorch re-run of the same weights gives FID 2.21.",
        rows=(PublishedQuality("DiT-XL/2", "2.27", "278.24", "675M"),),
    ),
    Published(
        where="SiT, table 7, guidance 1.5",
        url="arXiv:2401.08740",
        standing="authors",
        note="Other versions print IS 270.27 for the SDE.",
        rows=(
            PublishedQuality("SiT-XL/2, ODE", "2.15", "258.09", "675M"),
            PublishedQuality("SiT-XL/2, SDE", "2.06", "277.5", "675M"),
        ),
    ),
)

PUBLISHED_SPEED: tuple[Published, ...] = (
    Published(
        where="TransDiff, abstract",
        url="arXiv:2506.09482",
        standing="authors",
        note="Compared models, hardware and batch size not stated.",
        rows=(
            PublishedSpeed('TransDiff against "state-of-the-art methods based on AR Transformer"', "x2", "ratio"),
            PublishedSpeed('TransDiff against "diffusion-only models"', "x112", "ratio"),
        ),
    ),
    Published(
        where="TransDiff, issue #1",
        url="github.com/TransDiff/TransDiff/issues/1",
        standing="authors, informal",
        note="Hardware and batch size not given; 0.5 and 45 may be relative times, see VAR's table 1.",
        rows=(
            PublishedSpeed("TransDiff-L, 1 step AR", "0.2", "s, as written"),
            PublishedSpeed("VAR-d20", "0.5", "s, as written"),
            PublishedSpeed("DiT-XL/2", "45", "s, as written"),
        ),
    ),
    Published(
        where="VAR, table 1",
        url="arXiv:2404.02905",
        standing="authors",
        rows=(
            PublishedSpeed("VAR-d16", "0.4", "time relative to VAR-d30"),
            PublishedSpeed("VAR-d20", "0.5", "time relative to VAR-d30"),
            PublishedSpeed("VAR-d30", "1", "time relative to VAR-d30"),
            PublishedSpeed("DiT-L/2", "31", "time relative to VAR-d30"),
            PublishedSpeed("DiT-XL/2", "45", "time relative to VAR-d30"),
        ),
    ),
    Published(
        where="RAR, table 5",
        url="arXiv:2411.00776",
        standing="independent",
        note="One A100, float32, batch 128, decoding included, official code.",
        rows=(
            PublishedSpeed("VAR-d30", "17.3", "images/s"),
            PublishedSpeed("MAR-B", "0.8", "images/s"),
            PublishedSpeed("DiT-XL/2", "0.6", "images/s"),
            PublishedSpeed("MAR-L", "0.5", "images/s"),
            PublishedSpeed("MAR-H", "0.3", "images/s"),
        ),
    ),
)

# -- printed sizes -----------------------------------------------------------------------------------------------------

SIZES: tuple[Published, ...] = (
    Published(
        where="TransDiff, README",
        url="github.com/TransDiff/TransDiff README @0081b3a",
        standing="authors",
        note="The authors' code, counted, holds 290.0M (B), 682.5M (L) and 1327.9M (H).",
        rows=(
            PublishedSize("transdiff-b", "290M"),
            PublishedSize("transdiff-l", "683M"),
            PublishedSize("transdiff-h", "1.3B"),
            PublishedSize("transdiff-l-512", "683M"),
            PublishedSize("transdiff-mrar-b", "290M"),
            PublishedSize("transdiff-mrar-l", "683M"),
            PublishedSize("transdiff-mrar-h", "1.3B"),
        ),
    ),
    Published(
        where="TransDiff, issue #1: the decoder's share of the parameters",
        url="github.com/TransDiff/TransDiff/issues/1",
        standing="authors, informal",
        note="No size is named; B, L and H all have 41 %.",
        rows=(PublishedSize("transdiff-l", decoder_share="33 %"),),
    ),
    Published(
        where="MAR, table 4",
        url="arXiv:2406.11838",
        standing="authors",
        note="All three fit if the paper rounds up (inferred).",
        rows=(PublishedSize("mar-b", "208M"), PublishedSize("mar-l", "479M"), PublishedSize("mar-h", "943M")),
    ),
    Published(
        where="LlamaGen, table 8",
        url="arXiv:2406.06525",
        standing="authors",
        rows=(
            PublishedSize("llamagen-b", "111M"),
            PublishedSize("llamagen-l", "343M"),
            PublishedSize("llamagen-xl", "775M"),
            PublishedSize("llamagen-xxl", "1.4B"),
            PublishedSize("llamagen-3b", "3.1B"),
        ),
    ),
    Published(
        where="VAR, table 1; d36: README",
        url="arXiv:2404.02905, github.com/FoundationVision/VAR README",
        standing="authors",
        note="Every size is printed with two digits, so 600M stands for 595M to 605M. d36 fits if cut, not rounded "
        "(inferred).",
        rows=(
            PublishedSize("var-d16", "310M", half_unit=5e6),
            PublishedSize("var-d20", "600M", half_unit=5e6),
            PublishedSize("var-d24", "1.0B"),
            PublishedSize("var-d30", "2.0B"),
            PublishedSize("var-d36", "2.3B"),
        ),
    ),
    Published(
        where="DiT, table 4",
        url="arXiv:2212.09748",
        standing="authors",
        note="Counted Gflops are those of matrix products; with the gates' two multiply-adds per token, channel and "
        "block every row but B/4 fits (inferred).",
        rows=(
            PublishedSize("dit-s-8", "33M", "0.36"),
            PublishedSize("dit-s-4", "33M", "1.41"),
            PublishedSize("dit-s-2", "33M", "6.06"),
            PublishedSize("dit-b-8", "131M", "1.42"),
            PublishedSize("dit-b-4", "130M", "5.56"),
            PublishedSize("dit-b-2", "130M", "23.01"),
            PublishedSize("dit-l-8", "459M", "5.01"),
            PublishedSize("dit-l-4", "458M", "19.70"),
            PublishedSize("dit-l-2", "458M", "80.71"),
            PublishedSize("dit-xl-8", "676M", "7.39"),
            PublishedSize("dit-xl-4", "675M", "29.05"),
            PublishedSize("dit-xl-2", "675M", "118.64"),
            PublishedSize("dit-xl-2-512", "675M", "524.60"),
        ),
    ),
    Published(
        where="SiT, tables 1 and 7; Gflops: README",
        url="arXiv:2401.08740, github.com/willisma/SiT README",
        standing="authors",
        rows=(
            PublishedSize("sit-s-2", "33M"),
            PublishedSize("sit-b-2", "130M"),
            PublishedSize("sit-l-2", "458M"),
            PublishedSize("sit-xl-2", "675M", "119"),
        ),
    ),
    Published(
        where="D-DiT, benchmark table",
        url="zijieli-jlee.github.io/dualdiff.github.io",
        standing="authors",
        note="2B is about as coarse as a number can be: 1.5 to 2.5 billion.",
        rows=(PublishedSize("d-dit-256", "2B"), PublishedSize("d-dit-512", "2B")),
    ),
)
PRINTED_UNITS = {"M": 1e6, "B": 1e9, "%": 0.01}


def read_printed(text: str) -> tuple[float, float]:
    """(the number, half a unit of its last digit) of a count as printed: "1.3B" is 1.3e9, give or take 0.05e9."""
    size = PRINTED_UNITS.get(text[-1], 1.0)
    digits = text.rstrip("MB% ")
    return float(digits) * size, 0.5 * 10.0 ** -len(digits.partition(".")[2]) * size


def size_claims(group: Published, row: PublishedSize) -> list[Claim]:
    """A claim per printed count of a row, exact but for the rounding of print."""
    counts = (
        # metric, text, what the model has, unit of the printed number, units of the metric in one of those
        ("num_params", row.params, "parameters", "parameters", 1.0),
        (
            "flops",
            row.gflops,
            "Gflops per forward",
            "Gflops of multiply-adds",
            2e9,
        ),  # flops counts a multiply-add as two
        ("decoder_share", row.decoder_share, "of the parameters in the decoder", "of the parameters", 1.0),
    )
    claims = []
    for metric, text, what, unit, units_per_printed in counts:
        if not text:
            continue
        value, half_unit = read_printed(text)
        if metric == "num_params" and row.half_unit is not None:
            half_unit = row.half_unit
        claims.append(
            Claim(
                id=f"{row.model}-{metric.replace('_', '-')}",
                headline=f"{row.model} has {text} {what}.",
                quote=text,
                value=value,
                unit=unit,
                source=Source(
                    paper=group.where.split(",")[0], where=group.where, url=group.url, standing=group.standing
                ),
                tolerance=half_unit / value,
                tolerance_reason="A count is exact: it may differ by the rounding of print alone.",
                paper_scale=Comparison(
                    kind="value",
                    metric=metric,
                    subject=row.model,
                    protocol="paper-size",
                    scale="paper-size",
                    units_per_printed=units_per_printed,
                ),
                in_small=None,
            )
        )
    return claims


SIZE_CLAIMS: tuple[Claim, ...] = tuple(
    claim
    for group in SIZES
    for row in group.rows
    if isinstance(row, PublishedSize)
    for claim in size_claims(group, row)
)
