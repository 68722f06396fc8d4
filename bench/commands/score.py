"""`bench score images`, `captions`, `vqa`, `geneval`: scores of what exists already; under --record a record of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.app import MOST, MOST_SIDE, Device, JsonFile, example, with_options
from bench.commands.score_record import Order, record_and_print

if TYPE_CHECKING:
    from bench.records.schema import RunSpec


@example("python -m bench score images samples --reference digits-train --features digits")
@with_options(Order)
def score_images(
    generated: Annotated[Path, typer.Argument(help="folder of images (class folders too), or an .npz of images")],
    reference: Annotated[
        str | None,
        typer.Option(help="folder, .npz (ADM images or mu/sigma), or a name: digits-train, adm-imagenet-256, ..."),
    ] = None,
    features: Annotated[str | None, typer.Option(help="inception, dinov2 or digits [default: by image size]")] = None,
    weights: Annotated[Path | None, typer.Option(help="weights of the feature extractor")] = None,
    device: Device = "cpu",
    resize: Annotated[
        str | None, typer.Option(help="rule for images of other sizes: adm (centre crop) or clean-fid (to 299)")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, max=MOST_SIDE, help="with --resize adm: side to resize to, as 256")
    ] = None,
    classes: Annotated[
        int | None, typer.Option(min=2, max=MOST, help="classes that files numbered 0, 1, ... take in turn, as 1000")
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option(help="one more score: sfid or fid_infinity; may be given twice")
    ] = None,
    save_statistics: Annotated[
        Path | None, typer.Option(help="write mu and sigma of the images to this .npz; needs no --reference")
    ] = None,
    *,
    options: dict[str, Any],
    json_file: JsonFile = None,
) -> None:
    """FID (two engines), KID, precision, recall and Inception Score of images that exist.

    --record keeps a record of images made elsewhere, by the rules of a protocol, and prints the verdicts:

    bench score images samples --record --model mar-l --protocol imagenet-256-quality"""
    from bench.commands.app import resolve_device
    from bench.commands.score_images import score_and_print

    order = Order(**options)
    refused = {"--reference": reference, "--features": features, "--weights": weights, "--resize": resize}
    order.check(refused | {"--size": size, "--also": also, "--save-statistics": save_statistics})
    if order.record:

        def score(spec: RunSpec) -> dict[str, Any]:
            from bench.evaluators.elsewhere import images_fields

            return images_fields(
                generated, spec, resolve_device(device), num_classes=classes, made_by=order.made_by or ""
            )

        record_and_print(order, "images", score, json_file, resolve_device(device))
        return
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
@with_options(Order)
def score_captions(
    results: Annotated[Path, typer.Argument(help="captions in COCO's results layout")],
    annotations: Annotated[
        Path | None, typer.Option(help="reference captions in COCO's layout; with --record those of the assets")
    ] = None,
    spice: Annotated[
        bool, typer.Option("--spice", help="SPICE too: needs Stanford CoreNLP, 384 MB over http, not downloaded here")
    ] = False,
    subset: Annotated[bool, typer.Option("--subset", help="score only the images that have a caption")] = False,
    *,
    options: dict[str, Any],
    json_file: JsonFile = None,
) -> None:
    """BLEU-1 to -4, METEOR, ROUGE-L and CIDEr of captions that exist, with an audit of degenerate ones.

    --record keeps a record of captions made elsewhere and prints the verdicts:

    bench score captions results.json --record --model d-dit-512 --protocol coco-captions"""
    from bench.commands.score_captions import score_and_print
    from bench.errors import UsageError

    order = Order(**options)
    order.check({"--spice": spice, "--subset": subset})
    if order.record:

        def score(spec: RunSpec) -> dict[str, Any]:
            from bench.evaluators.elsewhere import captions_fields

            return captions_fields(results, spec, annotations=annotations, made_by=order.made_by or "")

        record_and_print(order, "captions", score, json_file)
        return
    if annotations is None:
        raise UsageError("--annotations is missing: reference captions in COCO's layout, as captions_val2014.json")
    score_and_print(results, annotations=annotations, spice=spice, subset=subset, json_file=json_file)


@example("python -m bench score vqa results.json --questions asked.json --annotations answers.json")
@with_options(Order)
def score_vqa(
    results: Annotated[Path, typer.Argument(help="answers in the layout of the data set's evaluator")],
    questions: Annotated[Path | None, typer.Option(help="the questions; of MME, the folder")] = None,
    annotations: Annotated[Path | None, typer.Option(help="the answers, where they are in a file of their own")] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="vqa-v2, okvqa, vizwiz, gqa, pope or mme [default: told from the questions]"),
    ] = None,
    subset: Annotated[bool, typer.Option("--subset", help="score only the questions that have an answer")] = False,
    *,
    options: dict[str, Any],
    scoring: Annotated[
        str, typer.Option(help="official, or d-dit: beside it what D-DiT's own script gives (VQAv2, OK-VQA, VizWiz)")
    ] = "official",
    json_file: JsonFile = None,
) -> None:
    """Accuracy of answers that exist, by the rule of their data set, with an audit of degenerate ones.

    --record keeps a record of answers made elsewhere and prints the verdicts; questions and answers are the assets':

    bench score vqa results.json --record --model d-dit-512 --protocol vqa-v2"""
    from bench.commands.score_vqa import score_and_print

    order = Order(**options)
    order.check({"--format": format_, "--subset": subset, "--scoring": scoring != "official"})
    if order.record:

        def score(spec: RunSpec) -> dict[str, Any]:
            from bench.evaluators.elsewhere import answers_fields

            return answers_fields(
                results, spec, questions=questions, annotations=annotations, made_by=order.made_by or ""
            )

        record_and_print(order, "answers", score, json_file)
        return
    score_and_print(
        results,
        questions=questions,
        annotations=annotations,
        name=format_,
        subset=subset,
        scoring=scoring,
        json_file=json_file,
    )


@example("python -m bench score geneval results.jsonl")
@with_options(Order)
def score_geneval(
    results: Annotated[Path, typer.Argument(help="results.jsonl of GenEval's evaluator, evaluate_images.py")],
    *,
    options: dict[str, Any],
    json_file: JsonFile = None,
) -> None:
    """GenEval's scores, overall and by task, of the results file that its own evaluator wrote.

    The evaluator's detector is no part of this suite: `bench reproduce --scale geneval` writes the images as it reads
    them, `bench fetch geneval-detector` gets its weights, github.com/djghosh13/geneval runs it.
    """
    order = Order(**options)
    order.check({})
    if not order.record:
        from bench.commands.score_geneval import score_and_print

        score_and_print(results, json_file=json_file)
        return

    def score(spec: RunSpec) -> dict[str, Any]:
        from bench.evaluators.elsewhere import geneval_fields

        return geneval_fields(results, spec, made_by=order.made_by or "")

    record_and_print(order, "geneval", score, json_file)
