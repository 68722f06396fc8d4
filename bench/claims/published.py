"""PUBLISHED_*: printed numbers as context, never beside a measured one in one column."""

from __future__ import annotations

from dataclasses import dataclass


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
class PublishedUnderstanding:
    """Scores of one model on images with text, as printed: accuracies in %, CIDEr times 100. "" where none is."""

    model: str
    params: str = ""
    cider: str = ""
    vqa_v2: str = ""
    vizwiz: str = ""
    okvqa: str = ""
    mme: str = ""
    gqa: str = ""
    pope: str = ""


@dataclass(frozen=True)
class PublishedPainting:
    """GenEval scores of one model as printed: share of prompts whose picture shows what was asked, 0 to 1."""

    model: str
    overall: str
    single: str
    two: str
    counting: str
    colours: str
    position: str
    attribution: str


@dataclass(frozen=True)
class Published:
    """What one source prints: a group of rows in the report."""

    where: str  # paper and table
    url: str  # without a scheme
    standing: str  # as in Source
    rows: (
        tuple[PublishedQuality, ...]
        | tuple[PublishedSpeed, ...]
        | tuple[PublishedSize, ...]
        | tuple[PublishedUnderstanding, ...]
        | tuple[PublishedPainting, ...]
    )
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
            PublishedSpeed("VAR-d24", "0.6", "time relative to VAR-d30"),
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
