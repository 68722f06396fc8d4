"""SIZE_CLAIMS: every model size that a paper prints, a claim each."""

from __future__ import annotations

from bench.claims.printed import read_printed
from bench.claims.published import Published, PublishedSize
from bench.claims.sources import PAPERS
from bench.records.schema import Claim, Comparison, Source

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
        note='The comment goes on "on the 600-700M model", which is L; B, L and H all have 41 %.',
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
        where="LlamaGen, tables 9 and 10",
        url="arXiv:2406.06525",
        standing="authors",
        rows=(
            PublishedSize("llamagen-b-384", "111M"),
            PublishedSize("llamagen-l-384", "343M"),
            PublishedSize("llamagen-xl-384", "775M"),
            PublishedSize("llamagen-xxl-384", "1.4B"),
            PublishedSize("llamagen-3b-384", "3.1B"),
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
                    paper=PAPERS[group.where.split(",")[0]], where=group.where, url=group.url, standing=group.standing
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
