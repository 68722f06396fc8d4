"""The command line: `python -m bench`, or `bench` once installed. Each door imports what it needs when it is opened."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.records import CheckFailed, UsageError

if TYPE_CHECKING:
    from bench.plan import Plan

app = typer.Typer(
    name="bench",
    help="Measure image generators that join autoregression and diffusion, and judge what their papers print.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
score_app = typer.Typer(help="Score images, captions or answers that already exist.", no_args_is_help=True)
app.add_typer(score_app, name="score")
export_app = typer.Typer(
    help="Write a data set that is made here as files in the field's layouts.", no_args_is_help=True
)
app.add_typer(export_app, name="export")

Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 or auto (a GPU where there is one)")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="also write the numbers to this file")]
ResultsDir = Annotated[Path, typer.Option("--results", help="folder of the records")]
Dtype = Annotated[str, typer.Option(help="float32, bfloat16 or float16")]
ReadingModel = Annotated[str, typer.Argument(help="a model that reads images, see `bench list`")]
ResultsFile = Annotated[Path, typer.Option(help="the results file; what made it is written beside it")]
Steps = Annotated[int | None, typer.Option(min=1, help="text steps, instead of the authors' or the model's")]
ReleasedFolder = Annotated[Path | None, typer.Option(help="released folder (diffusers), or weights of ours")]
SkipUnreadable = Annotated[bool, typer.Option(help="leave out what is asked of images that cannot be read")]

RESULTS, REPORT = Path("results"), Path("reports/index.html")
INTERRUPTED = 130  # exit status


def resolve_device(name: str) -> str:
    """A torch device that exists here; UsageError otherwise."""
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except Exception as error:  # torch raises many kinds, by build and device
        there = ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        raise UsageError(f"device {name!r} is not available here; available: {', '.join(there)}") from error
    return name


@app.command("list", epilog="Example: python -m bench list")
def list_() -> None:
    """Models, metrics, claims, protocols and data sets."""
    from bench.inventory import print_inventory

    print_inventory()


@app.command(epilog="Example: python -m bench doctor")
def doctor() -> None:
    """What this machine has and lacks, and what each thing unlocks."""
    from bench.doctor import print_doctor

    print_doctor()


@app.command(epilog="Example: python -m bench plan --only transdiff-digits")
def plan(
    scale: Annotated[str, typer.Option(help="digits, scenes, imagenet-256 or coco-captions")] = "digits",
    only: Annotated[list[str] | None, typer.Option(help="this model only (repeatable)")] = None,
    quick: Annotated[bool, typer.Option(help="plan the smoke run")] = False,
    device: Device = "auto",
    results: ResultsDir = RESULTS,
) -> None:
    """What `reproduce` would run, what is missing, what it would cost."""
    from bench.plan import make_plan, print_plan

    print_plan(make_plan(scale=scale, only=only or (), quick=quick, device=resolve_device(device), results=results))


@app.command(epilog="Example: python -m bench reproduce --quick")
def reproduce(
    scale: Annotated[str, typer.Option(help="digits, scenes, imagenet-256 or coco-captions")] = "digits",
    only: Annotated[list[str] | None, typer.Option(help="this model only (repeatable)")] = None,
    quick: Annotated[bool, typer.Option(help="a smoke run, too small to judge by, and stamped so")] = False,
    retrain: Annotated[bool, typer.Option(help="train every model of the scale anew first, measure those")] = False,
    device: Device = "auto",
    results: ResultsDir = RESULTS,
    report: Annotated[Path, typer.Option(help="the report to write")] = REPORT,
) -> None:
    """The main job: run what the claims need, judge them, render the report. Continues where it was interrupted."""
    from bench.plan import RETRAINED, make_plan
    from bench.retrain import retrain_for

    device = resolve_device(device)
    if retrain:
        results = results / RETRAINED
        retrain_for(scale, only or (), results, device)
    carry_out(make_plan(scale=scale, only=only or (), quick=quick, device=device, results=results), report)


@app.command(epilog="Example: python -m bench study trade-off guidance")
def study(
    names: Annotated[list[str] | None, typer.Argument(help="studies, see `bench list` [default: all]")] = None,
    device: Device = "auto",
    results: ResultsDir = RESULTS,
    report: Annotated[Path, typer.Option(help="the report to write")] = REPORT,
) -> None:
    """Answer questions that take many runs (steps, guidance, training seeds). Continues where it was interrupted."""
    from bench.plan import make_study_plan
    from bench.retrain import train_seeds_for

    device = resolve_device(device)
    train_seeds_for(names or (), results, device)
    carry_out(make_study_plan(names or (), device=device, results=results), report)


def carry_out(plan: Plan, report: Path) -> None:
    """Run a plan and render the report of its results folder. CheckFailed at the end where runs failed."""
    from bench.report import render
    from bench.run import run_plan

    failed = run_plan(plan)
    print(f"report: {render([plan.results], report)}")
    if failed:
        raise CheckFailed(
            f"{len(failed)} of {len(plan.runs)} runs failed, first: {failed[0].model}: {failed[0].reason}"
        )


@app.command(epilog="Example: python -m bench train transdiff-digits --seed 0 --out transdiff.safetensors")
def train(
    model: Annotated[str, typer.Argument(help="a digits model, see `bench list`")],
    seed: Annotated[int, typer.Option(min=0)] = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="optimiser steps, instead of the recipe's")] = None,
    out: Annotated[Path | None, typer.Option(help="weights file [default: MODEL--seedS.safetensors]")] = None,
    device: Device = "cpu",
) -> None:
    """Train a digits model. Killed and started again, it resumes and ends in the same weights."""
    from bench.train import train_model

    path = out or Path(f"{model}--seed{seed}.safetensors")
    print(f"weights: {train_model(model, seed=seed, num_steps=steps, out=path, device=resolve_device(device))}")


@app.command(epilog="Example: python -m bench generate transdiff-digits --num 100 --seed 0 --out samples")
def generate(
    model: Annotated[str, typer.Argument(help="a model, see `bench list`")],
    out: Annotated[Path, typer.Option(help="folder for 000000.png, 000001.png, ...")],
    num: Annotated[int | None, typer.Option(min=1, help="number of images [default: one per prompt]")] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="of models that paint from text: one per line, a JSON list, or COCO captions")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="images per call; changes no image")] = 50,
    weights: Annotated[Path | None, typer.Option(help="weights file, released checkpoint or released folder")] = None,
    autoencoder: Annotated[Path | None, typer.Option(help="its released file, of models of paper size")] = None,
    device: Device = "auto",
    dtype: Dtype = "float32",
) -> None:
    """Paint images: image i has label i mod num_classes (or prompt i), depends on the seed and i alone. Resumable."""
    from bench.generate import generate_folder

    generate_folder(
        model,
        num=num,
        seed=seed,
        out=out,
        batch_size=batch_size,
        weights=weights,
        device=resolve_device(device),
        dtype=dtype,
        autoencoder=autoencoder,
        prompts=prompts,
    )


@app.command(
    epilog="Example: python -m bench caption d-dit-512 --weights dual_diff_sd3_512_base "
    "--annotations captions_val2014.json --images val2014 --out results.json"
)
def caption(
    model: ReadingModel,
    annotations: Annotated[Path, typer.Option(help="captions in COCO's layout, which name the images")],
    images: Annotated[Path, typer.Option(help="folder of the images")],
    out: ResultsFile,
    limit: Annotated[int | None, typer.Option(min=1, help="the first so many images alone")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    steps: Steps = None,
    batch_size: Annotated[int, typer.Option(min=1, help="images per call; changes no caption")] = 16,
    weights: ReleasedFolder = None,
    device: Device = "auto",
    dtype: Dtype = "float32",
    skip_unreadable: SkipUnreadable = False,
) -> None:
    """Caption the images of a data set, for `bench score captions`. Continues where it was interrupted."""
    from bench import describe

    options = describe.Options(
        images=images,
        out=out,
        limit=limit,
        seed=seed,
        num_steps=steps,
        batch_size=batch_size,
        device=resolve_device(device),
        dtype=dtype,
        weights=weights,
        skip_unreadable=skip_unreadable,
    )
    describe.caption(model, annotations, options)


@app.command(
    epilog="Example: python -m bench answer d-dit-512 --weights dual_diff_sd3_512_sft "
    "--questions v2_OpenEnded_mscoco_val2014_questions.json --images val2014 --out answers.json"
)
def answer(
    model: ReadingModel,
    questions: Annotated[Path, typer.Option(help="the questions; of MME, the folder")],
    out: ResultsFile,
    images: Annotated[Path | None, typer.Option(help="folder of the images [default: of MME, its own]")] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="vqa-v2, okvqa, vizwiz, gqa, pope or mme [default: told from the questions]"),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="the first so many questions alone")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    steps: Steps = None,
    batch_size: Annotated[int, typer.Option(min=1, help="questions per call; changes no answer")] = 16,
    weights: ReleasedFolder = None,
    device: Device = "auto",
    dtype: Dtype = "float32",
    skip_unreadable: SkipUnreadable = False,
) -> None:
    """Answer the questions of a data set, for `bench score vqa`. Continues where it was interrupted."""
    from bench import describe

    options = describe.Options(
        images=images or questions,
        out=out,
        limit=limit,
        seed=seed,
        num_steps=steps,
        batch_size=batch_size,
        device=resolve_device(device),
        dtype=dtype,
        weights=weights,
        skip_unreadable=skip_unreadable,
    )
    describe.answer(model, questions, options, name=format_)


@score_app.command(
    "images", epilog="Example: python -m bench score images samples --reference digits-train --features digits"
)
def score_images(
    generated: Annotated[Path, typer.Argument(help="folder of images, or an .npz of images")],
    reference: Annotated[str, typer.Option(help="folder, .npz (ADM images or mu/sigma) or a data set's name")],
    features: Annotated[str | None, typer.Option(help="inception or digits [default: by image size]")] = None,
    weights: Annotated[Path | None, typer.Option(help="weights of the feature extractor")] = None,
    json_file: JsonFile = None,
) -> None:
    """FID (two engines), KID, precision, recall and Inception Score of images that exist."""
    from bench.score import score_and_print

    score_and_print(generated, reference=reference, features=features, weights=weights, json_file=json_file)


@score_app.command(
    "captions", epilog="Example: python -m bench score captions results.json --annotations captions_val2014.json"
)
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
    from bench.score_captions import score_and_print

    score_and_print(results, annotations=annotations, spice=spice, subset=subset, json_file=json_file)


@score_app.command(
    "vqa", epilog="Example: python -m bench score vqa results.json --questions asked.json --annotations answers.json"
)
def score_vqa(
    results: Annotated[Path, typer.Argument(help="answers in the layout of the data set's evaluator")],
    questions: Annotated[Path | None, typer.Option(help="the questions; of MME, the folder")] = None,
    annotations: Annotated[Path | None, typer.Option(help="the answers, where they are in a file of their own")] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="vqa-v2, okvqa, vizwiz, gqa, pope or mme [default: told from the questions]"),
    ] = None,
    subset: Annotated[bool, typer.Option("--subset", help="score only the questions that have an answer")] = False,
    json_file: JsonFile = None,
) -> None:
    """Accuracy of answers that exist, by the rule of their data set, with an audit of degenerate ones."""
    from bench.score_vqa import score_and_print

    score_and_print(
        results, questions=questions, annotations=annotations, name=format_, subset=subset, json_file=json_file
    )


@export_app.command("scenes", epilog="Example: python -m bench export scenes scenes --num 500 --split heldout")
def export_scenes(
    out: Annotated[Path, typer.Argument(help="a new folder")],
    num: Annotated[int, typer.Option(min=1, help="number of scenes")] = 500,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    split: Annotated[str, typer.Option(help="heldout or train: whose scans they show")] = "heldout",
) -> None:
    """Images, captions (COCO), questions and answers (VQAv2) and yes/no questions (POPE) of scenes."""
    from bench.datasets.scenes_files import export_and_print

    export_and_print(out, num=num, seed=seed, split=split)


@app.command("time", epilog="Example: python -m bench time transdiff-digits --against dit-digits --sweep --stages")
def time_(
    models: Annotated[list[str], typer.Argument(help="models, see `bench list`")],
    batch_size: Annotated[list[int] | None, typer.Option(min=1, help="images per call (repeatable)")] = None,
    against: Annotated[str | None, typer.Option(help="a model to compare each with, timed pair by pair")] = None,
    sweep: Annotated[bool, typer.Option(help="also batches of 1, 2, 4, ... and throughput at the best")] = False,
    stages: Annotated[bool, typer.Option(help="also where the time goes, and how near the limits")] = False,
    compose: Annotated[bool, typer.Option(help="time a few steps and compose the whole: for paper sizes")] = False,
    check_composed: Annotated[bool, typer.Option(help="compare composed times with measured ones")] = False,
    num_steps: Annotated[int | None, typer.Option(min=2, help="diffusion steps, instead of the paper's")] = None,
    device: Device = "auto",
    dtype: Dtype = "float32",
    compile_: Annotated[bool, typer.Option("--compile", help="compile the sampling steps")] = False,
    json_file: JsonFile = None,
) -> None:
    """Latency and throughput of sampling, in rounds that are kept raw. Paper sizes run with random weights."""
    from bench.timing import Timing, time_models

    timing = Timing(
        batch_sizes=tuple(dict.fromkeys(batch_size or [1])),
        device=resolve_device(device),
        dtype=dtype,
        compiled=compile_,
        num_steps=num_steps,
        sweep=sweep,
        stages=stages,
        compose=compose,
        check=check_composed,
    )
    time_models(models, timing, against=against, json_file=json_file)


@app.command(epilog="Example: python -m bench parity tests/data/transdiff.safetensors")
def parity(cases: Annotated[list[Path], typer.Argument(help="parity case files")]) -> None:
    """Compare our models with numbers of the authors' own code, one line per output."""
    from bench.parity import print_checks

    print_checks(cases)


@app.command(epilog="Example: python -m bench report --results results --out reports/index.html")
def report(
    results: Annotated[list[Path] | None, typer.Option("--results", help="folder of records (repeatable)")] = None,
    out: Annotated[Path, typer.Option(help="the file to write")] = REPORT,
) -> None:
    """Render the report from the records; measures nothing and imports no torch."""
    from bench.report import render

    print(f"report: {render(results or [RESULTS], out)}")


@app.command(epilog="Example: python -m bench compare results results/retrained")
def compare(
    run_a: Annotated[Path, typer.Argument(help="results folder, machine folder or record file")],
    run_b: Annotated[Path, typer.Argument(help="another")],
    json_file: JsonFile = None,
) -> None:
    """Two sets of records side by side: which verdicts agree, which intervals overlap."""
    from bench.compare import compare_runs

    compare_runs(run_a, run_b, json_file=json_file)


def main() -> None:
    """Run the command line. Exit status: 0 done, 1 a check or a run failed, 2 the call is wrong."""
    try:
        status = app(standalone_mode=False) or 0
        if status == INTERRUPTED:  # what typer makes of control-C
            raise KeyboardInterrupt
    except UsageError as error:
        status = complain(error, 2)
    except (CheckFailed, FloatingPointError) as error:
        status = complain(error, 1)
    except KeyboardInterrupt:
        status = complain("interrupted; run the same command again to continue", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's own: a wrong option, a missing argument
            status = complain(f"{error.format_message()} See `python -m bench --help`.", 2)
        elif type(error).__name__ in ("UnknownModelError", "CaseError"):  # named, not imported: torch stays out
            status = complain(error, 2)
        elif type(error).__name__ == "CheckpointError":
            status = complain(error, 1)
        else:
            raise
    sys.exit(status)


def complain(message: object, status: int) -> int:
    print(f"bench: {' '.join(str(message).split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
