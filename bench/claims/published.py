"""PUBLISHED_*: printed numbers as context, never beside a measured one in one column."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedQuality:
    """Scores of one model as printed: 50,000 images, ImageNet 256x256 unless its group says else. "" where none is."""

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
        where="LlamaGen, tables 9 and 10, 24x24 tokens: generated at 384 px, resized to 256",
        url="arXiv:2406.06525",
        standing="authors",
        note="No models of this suite. The README prints the FIDs with two decimals: 6.09, 3.07, 2.62, 2.34 and 2.18.",
        rows=(
            PublishedQuality("LlamaGen-B", "6.092", "182.538", "111M"),
            PublishedQuality("LlamaGen-L", "3.075", "256.067", "343M"),
            PublishedQuality("LlamaGen-XL", "2.629", "244.085", "775M"),
            PublishedQuality("LlamaGen-XXL", "2.34", "253.906", "1.4B"),
            PublishedQuality("LlamaGen-3B", "2.189", "263.334", "3.1B"),
        ),
    ),
    Published(
        where="VAR, table 1",
        url="arXiv:2404.02905",
        standing="authors",
        note="The authors' README prints other FIDs to this day. Real validation images score 1.78 in this table.",
        rows=(
            PublishedQuality("VAR-d16", "3.30", "274.4", "310M"),
            PublishedQuality("VAR-d20", "2.57", "302.6", "600M"),
            PublishedQuality("VAR-d24", "2.09", "312.9", "1.0B"),
            PublishedQuality("VAR-d30", "1.92", "323.1", "2.0B"),
            PublishedQuality("VAR-d30-re (rejection sampling)", "1.73", "350.2", "2.0B"),
        ),
    ),
    Published(
        where="VAR, README, every version from 2024-04-05 to 2025-11-10",
        url="github.com/FoundationVision/VAR README @78b9539",
        standing="authors",
        note="Two of the authors' own statements contradict each other here and in table 1; neither is superseded.",
        rows=(
            PublishedQuality("VAR-d16", "3.55", "", "310M"),
            PublishedQuality("VAR-d20", "2.95", "", "600M"),
            PublishedQuality("VAR-d24", "2.33", "", "1.0B"),
            PublishedQuality("VAR-d30", "1.97", "", "2.0B"),
            PublishedQuality("VAR-d30-re (rejection sampling)", "1.80", "", "2.0B"),
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
        note="The README of the authors' repository (@947f95b) prints IS 270.27 for the SDE, as most later papers do. "
        "The paper calls w^{KL,eta} its best SDE setting for XL; neither the released code nor this suite has it, so "
        "that FID 2.06 may belong to another setting than sigma.",
        rows=(
            PublishedQuality("SiT-XL/2, ODE", "2.15", "258.09", "675M"),
            PublishedQuality("SiT-XL/2, SDE", "2.06", "277.5", "675M"),
        ),
    ),
    Published(
        where="SiT, table 7, ImageNet 512x512, guidance 1.5",
        url="arXiv:2401.08740",
        standing="authors",
        note="No model of this suite.",
        rows=(PublishedQuality("SiT-XL/2 at 512 px, SDE", "2.62", "252.21"),),
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
        note='Said of "the 600-700M model". Hardware and batch size not given; 0.5 and 45 may be relative times, see '
        "VAR's table 1.",
        rows=(
            PublishedSpeed("TransDiff-L, 1 Step AR", "0.2", "s, as written"),
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
    Published(
        where="NAR, table 1",
        url="arXiv:2503.10696",
        standing="independent",
        note="One A100, largest batch. VAR-d30 is 1.7 times as fast here as in RAR's table.",
        rows=(
            PublishedSpeed("VAR-d16", "129.3", "images/s"),
            PublishedSpeed("VAR-d20", "77.6", "images/s"),
            PublishedSpeed("VAR-d24", "50.6", "images/s"),
            PublishedSpeed("VAR-d30", "29.9", "images/s"),
            PublishedSpeed("LlamaGen-B", "117.9", "images/s"),
            PublishedSpeed("LlamaGen-L", "47.1", "images/s"),
            PublishedSpeed("LlamaGen-XL", "23.7", "images/s"),
            PublishedSpeed("LlamaGen-XXL", "14.1", "images/s"),
        ),
    ),
    Published(
        where="xAR, table 7",
        url="arXiv:2502.20388",
        standing="independent",
        note="One A100, official code, batch 128 (github.com/OliverRensu/xAR issue #7).",
        rows=(
            PublishedSpeed("DiT-XL/2", "0.5", "images/s"),
            PublishedSpeed("SiT-XL/2", "0.5", "images/s"),
            PublishedSpeed("MAR-L", "0.5", "images/s"),
            PublishedSpeed("MAR-H", "0.3", "images/s"),
        ),
    ),
)
