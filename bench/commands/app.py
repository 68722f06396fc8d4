"""The command line's application, and the options that several commands share."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import typing
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from bench.errors import UsageError
from bench.files import check_folder

if TYPE_CHECKING:
    from bench.plan import Plan

Function = TypeVar("Function", bound=Callable[..., None])

COMMANDS = {  # name -> (module of bench.commands, its function, one line of help), in the order of the help
    "list": ("list", "list_", "Models, metrics, claims, protocols, studies and data sets, or one of them."),
    "claims": ("claims", "claims", "Check a file of claims of your own, and list them."),
    "doctor": ("doctor", "doctor", "What this machine has and lacks, and what each thing unlocks."),
    "fetch": ("fetch", "fetch", "Get released weights, statistics and data sets; nothing else downloads anything."),
    "plan": ("reproduce", "plan", "What `reproduce` would run, what is missing, what it would cost."),
    "reproduce": ("reproduce", "reproduce", "The main job: run what the claims need, judge them, render the report."),
    "work": ("work", "work", "Generate what a plan needs, as one of many workers (torchrun, Slurm)."),
    "study": ("reproduce", "study", "Answer questions that take many runs (steps, guidance, training seeds)."),
    "train": ("train", "train", "Train a small model, or one of paper size (--data)."),
    "generate": ("generate", "generate", "Generate images into a folder."),
    "caption": ("describe", "caption", "Caption the images of a data set, for `bench score captions`."),
    "answer": ("describe", "answer", "Answer the questions of a data set, for `bench score vqa`."),
    "score images": ("score", "score_images", "FID, KID, precision, recall and Inception Score of images that exist."),
    "score captions": ("score", "score_captions", "BLEU, METEOR, ROUGE-L and CIDEr of captions that exist."),
    "score vqa": ("score", "score_vqa", "Accuracy of answers that exist, by the rule of their data set."),
    "score geneval": ("score", "score_geneval", "GenEval's scores of the results file of its own evaluator."),
    "export scenes": ("export", "export_scenes", "Images, captions, questions and answers of scenes."),
    "export table": (
        "export",
        "export_table",
        "Every measurement and ratio as CSV, JSON lines or Parquet.",
    ),
    "export figures": ("export", "export_figures", "The charts of the records as PDF and PNG, for a paper."),
    "time": ("time", "time_", "Latency and throughput of sampling, in rounds that are kept raw."),
    "parity": ("parity", "parity", "Compare our models with numbers of the authors' own code."),
    "compare": ("compare", "compare", "Two sets of records side by side."),
    "clean": ("clean", "clean", "List what the work folder holds that no record needs; --yes removes it."),
    "verify": ("verify", "verify", "Whether the report still says what the records say."),
    "report": ("report", "report", "Render the report from the records, as a page, tables or a badge."),
}
GROUPS = {
    "score": "Score images, captions or answers that already exist.",
    "export": "Write data as files in the field's layouts.",
}
TYPER = {"add_completion": False, "rich_markup_mode": None, "pretty_exceptions_enable": False}


def example(*parts: str) -> Callable[[Function], Function]:
    """Mark a function as a command, with the example, in one part or several, that ends its help."""

    def marked(function: Function) -> Function:
        function.example = " ".join(parts)  # type: ignore[attr-defined]
        return function

    return marked


def with_options(options: type, *, but: Collection[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a function as a command with its own parameters and, for its `options`, every field of a dataclass.

    The function gets them as a dictionary.  but: fields that it fills itself.
    """
    types = typing.get_type_hints(options, include_extras=True)
    fields = [field for field in dataclasses.fields(options) if field.name not in but]
    shared = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            annotation=types[field.name],
        )
        for field in fields
    ]

    def marked(function: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(function, eval_str=True).parameters.values() if p.name != "options"]

        @functools.wraps(function)
        def command(**given: Any) -> None:
            told = {field.name: given.pop(field.name) for field in fields}
            function(**given, options=told)

        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + shared
        command.__signature__ = inspect.Signature(parameters, return_annotation=None)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return marked


class Command(TyperCommand):
    """A command that takes no empty value: as a path it would be the current folder, as a name nothing."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        for param in self.params:
            values = given.get(str(param.name))
            if "" in (values if isinstance(values, list | tuple) else [values]):
                is_option = param.param_type_name == "option"
                name = max(param.opts, key=len) if is_option else (param.metavar or str(param.name).upper())
                raise UsageError(f"{name}: an empty value, as of a variable that is not set")
        return super().parse_args(ctx, args)


class LazyGroup(TyperGroup):
    """The commands of COMMANDS below one prefix: a command's module is imported when the command is called."""

    prefix = ""  # as "score "

    def list_commands(self, ctx: Any) -> list[str]:
        rest = [name.removeprefix(self.prefix) for name in COMMANDS if name.startswith(self.prefix)]
        return list(dict.fromkeys(name.split()[0] for name in rest))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if not self.prefix and cmd_name in GROUPS:
            return group(cmd_name, GROUPS[cmd_name], f"{cmd_name} ")
        if self.prefix + cmd_name not in COMMANDS:
            return None
        module, function_name, _ = COMMANDS[self.prefix + cmd_name]
        function = getattr(importlib.import_module(f"bench.commands.{module}"), function_name)
        one = typer.Typer(**TYPER)  # type: ignore[arg-type]
        one.command(cmd_name, cls=Command, epilog=f"Example: {function.example}")(function)
        return typer.main.get_command(one)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, GROUPS.get(name) if not self.prefix and name in GROUPS else COMMANDS[self.prefix + name][2])
                    for name in self.list_commands(ctx)
                ]
            )


def group(name: str, text: str, prefix: str = "") -> Any:
    """The group of commands below `prefix`."""
    cls = type(f"{name.title()}Group", (LazyGroup,), {"prefix": prefix})
    made = typer.Typer(name=name, help=text, cls=cls, no_args_is_help=True, **TYPER)  # type: ignore[arg-type]

    @made.callback()
    def callback() -> None:
        pass

    callback.__doc__ = text
    return typer.main.get_command(made)


def application() -> Any:
    """The whole command line."""
    return group(
        "bench", "Measure image generators that join autoregression and diffusion, and judge what their papers print."
    )


DEVICES = ("cpu", "cuda")  # what the models are checked on
MOST = 2**31 - 1  # of images, steps, items of a batch: more than any run here takes
MOST_WORKERS = 4096  # side by side, or machines of one job
MOST_STEPS = 1000  # of diffusion: noise levels that the models are trained on
MOST_SIDE = 8192  # pixels of an image's side
LARGEST_SEED = 2**63 - 1  # what a record can hold

Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 or auto (a GPU where there is one)")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="also write the numbers to this file")]
ClaimsFiles = Annotated[
    list[Path] | None, typer.Option("--claims", help="a file of claims of your own (repeatable), see `bench claims`")
]


def results_folder(name: str | Path) -> Path:
    """What --results names: a folder that exists, or that can be made. UsageError for anything else."""
    check_folder(Path(name), "--results")
    return Path(name)


RESULTS_OPTION: dict[str, Any] = {"parser": results_folder, "metavar": "<path>"}
ResultsDir = Annotated[Path, typer.Option("--results", help="folder of the records", **RESULTS_OPTION)]
Seed = Annotated[int, typer.Option(min=0, max=LARGEST_SEED)]
Dtype = Annotated[str, typer.Option(help="float32, bfloat16 or float16")]
ReadingModel = Annotated[str, typer.Argument(help="a model that reads images, see `bench list`")]
ResultsFile = Annotated[Path, typer.Option(help="the results file; what made it is written beside it")]
Steps = Annotated[
    int | None, typer.Option("--steps", min=1, max=MOST, help="text steps, instead of the authors' or the model's")
]
ReleasedFolder = Annotated[Path | None, typer.Option(help="released folder (diffusers), or weights of ours")]
SkipUnreadable = Annotated[bool, typer.Option(help="leave out what is asked of images that cannot be read")]

Scale = Annotated[
    str, typer.Option(help="digits, scenes, imagenet-256, imagenet-256-equal, coco-captions, ..., see `bench list`")
]
Only = Annotated[list[str] | None, typer.Option(help="this model only (repeatable)")]
Pilot = Annotated[
    int,
    typer.Option(
        min=0,
        max=MOST,
        help="an early answer, never a verdict: score the first N images of each run, in whole shards, which the full "
        "run then takes up; image i has class i mod 1000, so classes stay balanced; 0: all images",
    ),
]
KeepImages = Annotated[bool, typer.Option("--keep-images", help="keep the pixels of all images in the store")]

RESULTS, REPORT = Path("results"), Path("reports/index.html")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What `plan`, `reproduce` and `work` are asked for: which runs, of how many images, where."""

    scale: Scale = "digits"
    only: Only = None
    quick: Annotated[bool, typer.Option(help="the smoke run, too small to judge by, and stamped so")] = False
    pilot: Pilot = 0
    keep_images: KeepImages = False
    device: Device = "auto"
    results: ResultsDir = RESULTS

    def plan(self, device: str) -> Plan:
        """The runs. device: as torch names it"""
        from bench.plan import make_plan

        return make_plan(
            scale=self.scale,
            only=self.only or (),
            quick=self.quick,
            device=device,
            results=self.results,
            pilot=self.pilot,
            keep_images=self.keep_images,
        )


def resolve_device(name: str) -> str:
    """A torch device that exists here; UsageError otherwise."""
    from bench.records import environment

    if name == "cpu" or (name == "auto" and not environment.has_gpu_driver()):
        return "cpu"
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type not in DEVICES:
            raise ValueError(name)
        torch.empty(1, device=device)
    except Exception as error:  # torch raises many kinds, by build and device
        there = ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        why = "has no float64, in which tokens are drawn" if name.startswith("mps") else "is not available here"
        raise UsageError(f"device {name!r} {why}; available: {', '.join(there)}") from error
    return name
