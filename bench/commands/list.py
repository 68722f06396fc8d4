"""What there is: `python -m bench list`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from bench.claims import CLAIMS
from bench.commands.app import example
from bench.console import console
from bench.datasets import DATASETS
from bench.datasets.question_formats import FORMATS
from bench.datasets.scenes_files import WHAT
from bench.metrics import METRICS
from bench.protocols import PROTOCOLS
from bench.studies import STUDIES
from reference_models import specs
from reference_models.checkpoints import shipped_weights


@example("python -m bench list")
def list_() -> None:
    """Models, metrics, claims, protocols and data sets."""

    print_inventory()


TEXT_LAYOUTS = {"coco-captions": "COCO captions: BLEU-1 to -4, METEOR, ROUGE-L, CIDEr, SPICE on request", **FORMATS}


def print_inventory() -> None:

    def show(title: str, columns: list[str], rows: Sequence[tuple[str, ...]]) -> None:
        table = Table(title=f"{title} ({len(rows)})", title_justify="left", box=None, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*row)
        console().print(table, "")

    models = []
    for name, spec in specs().items():
        size = "-" if spec.num_params is None else f"{spec.num_params / 1e6:,.1f} M"
        if shipped_weights(name):
            weights = "shipped"
        elif spec.official:
            weights = f"{spec.official.repository}: {spec.official.file}"
        elif spec.ingredient:
            weights = "none (another model is fine-tuned from it)"
        else:
            weights = "none"
        models.append((name, spec.scale, size, weights))
    show("Models", ["name", "scale", "parameters (paper)", "weights"], models)
    show("Metrics", ["name", "unit", "what it is"], [(m.name, m.unit, m.what) for m in METRICS.values()])
    show("Claims", ["id", "printed", "claim"], [(c.id, f"{c.value:g} {c.unit}".strip(), c.headline) for c in CLAIMS])
    protocols = [(p.name, p.scale, p.collects, ", ".join(p.metrics)) for p in PROTOCOLS.values()]
    show("Protocols", ["name", "scale", "collects", "metrics"], protocols)
    studies = [(study.name, str(len(study.runs)), study.question) for study in STUDIES.values()]
    show("Studies", ["name", "runs", "question"], studies)
    made = {"scenes": f"{WHAT}; written out by `python -m bench export scenes`"}
    show("Data sets", ["name", "what it is"], list((DATASETS | made).items()))
    show("Text files that can be scored", ["layout", "what is measured"], list(TEXT_LAYOUTS.items()))
