"""`bench score images`, `captions` and `vqa`: scores of what exists already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.app import Device, JsonFile, example


@example("python -m bench score images samples --reference digits-train --features digits")
def score_images(
    generated: Annotated[Path, typer.Argument(help="folder of images (class folders too), or an .npz of images")],
    reference: Annotated[
        str | None, typer.Option(help="folder, .npz (ADM images or mu/sigma) or a data set's name")
    ] = None,
    features: Annotated[str | None, typer.Option(help="inception, dinov2 or digits [default: by image size]")] = None,
    weights: Annotated[Path | None, typer.Option(help="weights of the feature extractor")] = None,
    device: Device = "cpu",
    resize: Annotated[
        str | None, typer.Option(help="rule for images of other sizes: adm (centre crop) or clean-fid (to 299)")
    ] = None,
    size: Annotated[int | None, typer.Option(min=1, help="with --resize adm: side to resize to, as 256")] = None,
    classes: Annotated[
        int | None, typer.Option(min=2, help="classes that files numbered 0, 1, ... take in turn, as 1000")
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option(help="one more score: sfid or fid_infinity; may be given twice")
    ] = None,
    save_statistics: Annotated[
        Path | None, typer.Option(help="write mu and sigma of the images to this .npz; needs no --reference")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """FID (two engines), KID, precision, recall and Inception Score of images that exist."""
    from bench.commands.app import resolve_device
    from bench.commands.score_images import score_and_print

    score_and_print(
        generated,
        reference=reference,
        features=features,
        weights=weights,
        device=resolve_device(device),
        resize=resize,
        size=size,
        classes=classes,
        also=also or (),
        save_statistics=save_statistics,
        json_file=json_file,
    )


@example("python -m bench score captions results.json --annotations captions_val2014.json")
def score_captions(
    results: Annotated[Path, typer.Argument(help="captions in COCO's results layout")],
    annotations: Annotated[Path, typer.Option(help="reference captions in COCO's layout")],
    spice: Annotated[
        bool, typer.Option("--spice", help="SPICE too: needs Stanford CoreNLP, 384 MB over http, not downloaded here")
    ] = False,
    subset: Annotated[bool, typer.Option("--subset", help="score only the images that have a caption")] = False,
    json_file: JsonFile = None,
) -> None:
    """BLEU-1 to -4, METEOR, ROUGE-L and CIDEr of captions that exist, with an audit of degenerate ones."""
    from bench.commands.score_captions import score_and_print

    score_and_print(results, annotations=annotations, spice=spice, subset=subset, json_file=json_file)


@example("python -m bench score vqa results.json --questions asked.json --annotations answers.json")
def score_vqa(
    results: Annotated[Path, typer.Argument(help="answers in the layout of the data set's evaluator")],
    questions: Annotated[Path | None, typer.Option(help="the questions; of MME, the folder")] = None,
    annotations: Annotated[Path | None, typer.Option(help="the answers, where they are in a file of their own")] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="vqa-v2, okvqa, vizwiz, gqa, pope or mme [default: told from the questions]"),
    ] = None,
    subset: Annotated[bool, typer.Option("--subset", help="score only the questions that have an answer")] = False,
    scoring: Annotated[
        str, typer.Option(help="official, or d-dit: beside it what D-DiT's own script gives (VQAv2, OK-VQA, VizWiz)")
    ] = "official",
    json_file: JsonFile = None,
) -> None:
    """Accuracy of answers that exist, by the rule of their data set, with an audit of degenerate ones."""
    from bench.commands.score_vqa import score_and_print

    score_and_print(
        results,
        questions=questions,
        annotations=annotations,
        name=format_,
        subset=subset,
        scoring=scoring,
        json_file=json_file,
    )
