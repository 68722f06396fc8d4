"""PUBLISHED_UNDERSTANDING, PUBLISHED_PAINTING: what is printed of D-DiT and beside it, as context."""

from __future__ import annotations

from bench.claims.published import Published, PublishedPainting, PublishedUnderstanding

PUBLISHED_UNDERSTANDING: tuple[Published, ...] = (
    Published(
        where="D-DiT, multi-modal benchmark table (CVPR 2025)",
        url="zijieli-jlee.github.io/dualdiff.github.io",
        standing="authors",
        note="Rows of other models are copied from their papers; shots and splits are not stated where we could read.",
        rows=(
            PublishedUnderstanding(
                "LLaVA-1.5", params="13B", vqa_v2="81.8", vizwiz="57.5", mme="1500.1", gqa="64.7", pope="86.4"
            ),
            PublishedUnderstanding(
                "BLIP-2", params="13B", vqa_v2="65.0", vizwiz="19.6", mme="1293.8", gqa="41.0", pope="85.5"
            ),
            PublishedUnderstanding("IDEFICS", params="9B", vqa_v2="50.9"),
            PublishedUnderstanding("QWEN-VL", params="7B", vqa_v2="78.2", vizwiz="38.9", mme="1487.5", gqa="57.5"),
            PublishedUnderstanding("OpenFlamingo", params="9B", cider="65.5", vqa_v2="43.5"),
            PublishedUnderstanding("Flamingo", params="9B", cider="79.4", vqa_v2="51.8", vizwiz="28.8", okvqa="44.7"),
            PublishedUnderstanding("CM3Leon", params="7B", cider="61.6", vqa_v2="47.6", vizwiz="37.6", okvqa="23.8"),
            PublishedUnderstanding("Chameleon", params="7B", cider="18.0"),
            PublishedUnderstanding("LWM", params="7B", vqa_v2="55.8", vizwiz="11.6", gqa="44.8", pope="75.2"),
            PublishedUnderstanding("Show-O (256)", params="1.3B", vqa_v2="64.7", mme="1014.9", gqa="54.2", pope="76.2"),
            PublishedUnderstanding("Show-O (512)", params="1.3B", vqa_v2="69.4", mme="1097.2", gqa="58.0", pope="80.0"),
            PublishedUnderstanding("Transfusion", params="7B", cider="29.0"),
            PublishedUnderstanding(
                "D-DiT (256)",
                params="2B",
                vqa_v2="59.5",
                vizwiz="19.4",
                okvqa="28.5",
                mme="897.5",
                gqa="55.1",
                pope="79.2",
            ),
            PublishedUnderstanding(
                "D-DiT (512)",
                params="2B",
                cider="56.2",
                vqa_v2="60.1",
                vizwiz="29.9",
                okvqa="25.3",
                mme="1124.7",
                gqa="59.2",
                pope="84.0",
            ),
        ),
    ),
    Published(
        where="Janus-Pro, table 3, quoting D-DiT",
        url="arXiv:2501.17811",
        standing="independent",
        rows=(PublishedUnderstanding("D-DiT (512)", mme="1124.7", gqa="59.2", pope="84.0"),),
    ),
    Published(
        where="D-DiT, benchmark table, as a page of paper notes tells it",
        url="papernotes.org, CVPR2025",
        standing="secondary, contradicts every other source",
        note="Its row of Show-O is wrong too: not to be trusted, but a reader may meet it.",
        rows=(
            PublishedUnderstanding("D-DiT (256)", vqa_v2="60.7", vizwiz="33.9", mme="1089", gqa="52.2", pope="79.7"),
            PublishedUnderstanding("D-DiT (512)", vqa_v2="64.1", vizwiz="35.1", mme="1213", gqa="55.1", pope="83.2"),
        ),
    ),
)

PUBLISHED_PAINTING: tuple[Published, ...] = (
    Published(
        where="D-DiT, GenEval, as Muddit (arXiv 2505.23606) and two more papers print it",
        url="arXiv:2501.00289",
        standing="independent",
        note="Its own row of SD3-medium, which it was trained from, by category known from one write-up alone; others "
        "print 0.74 overall for it, see below.",
        rows=(
            PublishedPainting(
                "SD3-medium",
                overall="0.62",
                single="0.98",
                two="0.74",
                counting="0.63",
                colours="0.67",
                position="0.34",
                attribution="0.36",
            ),
            PublishedPainting(
                "D-DiT (512)",
                overall="0.65",
                single="0.97",
                two="0.80",
                counting="0.54",
                colours="0.76",
                position="0.32",
                attribution="0.50",
            ),
        ),
    ),
    Published(
        where="Janus-Pro, table 4",
        url="arXiv:2501.17811",
        standing="independent",
        note="Other papers print 0.68 overall for Show-o.",
        rows=(
            PublishedPainting(
                "SD3-Medium",
                overall="0.74",
                single="0.99",
                two="0.94",
                counting="0.72",
                colours="0.89",
                position="0.33",
                attribution="0.60",
            ),
            PublishedPainting(
                "Show-o",
                overall="0.53",
                single="0.95",
                two="0.52",
                counting="0.49",
                colours="0.82",
                position="0.11",
                attribution="0.28",
            ),
        ),
    ),
)

# VQAv2 and CIDEr by number of text diffusion steps; source and standing: STEPS_TABLE of bench.claims.text.
PRINTED_STEPS: dict[int, tuple[float, float]] = {  # T: (VQAv2 in %, CIDEr)
    4: (58.8, 20.2),
    8: (58.0, 35.3),
    16: (59.3, 46.5),
    32: (60.5, 51.3),
    64: (60.0, 56.2),
    128: (59.6, 54.5),
}
