"""What the machine or the call lacks is one line: targets, numbers out of range, devices, packages, memory, pipes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from bench.__main__ import machines_fault
from bench.commands.app import LARGEST_SEED, MOST, MOST_SIDE, MOST_STEPS, MOST_WORKERS
from bench.console import SIGNALS
from tests.command_line import bench, complains, write
from tests.paths import ROOT

ANSWERS = [{"question_id": 1, "answer": "yes"}]
QUESTIONS = {"questions": [{"question_id": 1, "image_id": 1, "question": "Is it?"}]}
TRUTHS = {"annotations": [{"question_id": 1, "image_id": 1, "answers": [{"answer": "yes"}] * 10}]}


def score_vqa(folder):
    """A call that takes no time and writes what --json names."""
    found = {"results": ANSWERS, "--questions": QUESTIONS, "--annotations": TRUTHS}
    paths = {name: write(folder / f"{name.strip('-')}.json", content) for name, content in found.items()}
    given = ["--questions", paths["--questions"], "--annotations", paths["--annotations"]]
    return ["score", "vqa", paths["results"], *given, "--json"]


def score_geneval(folder):
    detected = {"filename": "x/00000/samples/0000.png", "tag": "counting", "prompt": "two dogs", "correct": True}
    return ["score", "geneval", write(folder / "results.jsonl", detected), "--json"]


CALLS = {
    "train": lambda folder: ["train", "dit-digits", "--steps", 1, "--out"],
    "score": score_vqa,
    "score geneval": score_geneval,
    "time": lambda folder: ["time", "dit-digits", "--json"],
    "report": lambda folder: ["report", "--results", ROOT / "results", "--out"],
    "compare": lambda folder: ["compare", ROOT / "results", ROOT / "results", "--json"],
    "compare as a page": lambda folder: ["compare", ROOT / "results", ROOT / "results", "--html"],
}


@pytest.mark.parametrize("call", CALLS)
def test_a_target_that_is_none_is_refused_before_the_work(capsys, tmp_path, call):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    arguments = CALLS[call](tmp_path)
    (tmp_path / "lost").symlink_to(tmp_path / "nothing")
    for target in ("folder", "file/x", "lost", "n" * 300):
        line = complains(capsys, *arguments, tmp_path / target)
        assert str(arguments[-1]) in line
    assert not list((tmp_path / "folder").iterdir())


@pytest.mark.parametrize("call", CALLS)
def test_a_full_disk_is_one_line_before_the_work_and_leaves_nothing(capsys, tmp_path, monkeypatch, call):
    arguments = CALLS[call](tmp_path)
    (tmp_path / "disk").mkdir()

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    line = complains(capsys, *arguments, tmp_path / "disk" / "out", status=1)
    assert "No space left on device" in line
    assert not list((tmp_path / "disk").iterdir())


LATE = {  # what is written after the work, and larger than the file that asks for room before it
    "report": ["report", "--results", ROOT / "results", "--format", "csv", "--out"],
    "compare": ["compare", ROOT / "results", ROOT / "results", "--json"],
    "list": ["list", "claims", "--json"],
    "table": ["export", "table", "--results", ROOT / "results"],
}


@pytest.mark.parametrize("call", LATE)
def test_a_disk_that_is_full_after_the_work_is_one_line_and_the_file_of_before_is_whole(
    capsys, monkeypatch, tmp_path, call
):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # as the program does: or cut .pyc files stay
    out = tmp_path / "out.csv"
    out.write_text("before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        line = complains(capsys, *LATE[call], out, status=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot be written: File too large" in line
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert out.read_text() == "before"


@pytest.mark.parametrize(
    ("arguments", "largest"),
    [
        (["generate", "dit-digits", "--out", "x", "--num"], MOST),
        (["generate", "dit-digits", "--out", "x", "--num", "1", "--batch-size"], MOST),
        (["generate", "dit-digits", "--out", "x", "--num", "1", "--seed"], LARGEST_SEED),
        (["train", "dit-digits", "--steps"], MOST),
        (["train", "dit-digits", "--steps", "1", "--seed"], LARGEST_SEED),
        (["time", "dit-digits", "--batch-size"], MOST),
        (["time", "dit-digits", "--num-steps"], MOST_STEPS),
        (["export", "scenes", "x", "--num"], MOST),
        (["plan", "--pilot"], MOST),
        (["reproduce", "--workers"], MOST_WORKERS),
        (["work", "--batch-size"], MOST),
        (["work", "--slurm-nodes"], MOST_WORKERS),
        (["work", "--slurm-nodes", "1", "--slurm-gpus"], MOST_WORKERS),
        (["work", "--slurm-nodes", "1", "--slurm-hours"], 24 * 366),
        (["score", "images", "x", "--size"], MOST_SIDE),
        (["score", "images", "x", "--classes"], MOST),
    ],
)
def test_a_number_out_of_range_is_one_line_that_says_the_range(capsys, arguments, largest):
    for number in (largest + 1, 2**70):
        assert str(largest) in complains(capsys, *arguments, number)


def test_what_a_number_in_range_would_take_is_said_before_it_is_tried(capsys, tmp_path):
    """The largest numbers: nothing is written, nothing runs, and the line has the estimate."""
    assert "GB of memory" in complains(capsys, "time", "dit-digits", "--batch-size", MOST, status=1)
    line = complains(capsys, "generate", "dit-digits", "--num", MOST, "--out", tmp_path / "out", status=1)
    assert "GB of disk" in line
    line = complains(capsys, "train", "dit-digits", "--steps", MOST, "--out", tmp_path / "weights", status=1)
    assert "GB" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("device", ["meta", "mps", "xpu", "cuda:99", " "])
def test_a_device_that_nothing_runs_on_is_refused(capsys, device):
    assert "available: cpu" in complains(capsys, "train", "dit-digits", "--steps", 1, "--device", device)


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("torch", "time dit-digits"),
        ("numpy", "score images . --reference digits-train"),
        ("PIL", "score images . --reference digits-train"),
    ],
)
def test_a_missing_package_is_one_line_with_the_command(package, call):
    code = (
        f"import sys; sys.modules[{package!r}] = None; from bench.__main__ import run; sys.exit(run({call.split()!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "python -m pip install" in done.stderr


@pytest.mark.parametrize("streams", ["1", "2", "1 2"])
def test_where_nobody_listens_the_work_is_done_all_the_same(tmp_path, streams):
    """Closed, as services have them: what is opened next would get their numbers, and be printed into."""
    closed = " ".join(f"{stream}>&-" for stream in streams.split())
    call = f"{sys.executable} -m bench export table {tmp_path}/out.csv --results results {closed}"
    done = subprocess.run(["sh", "-c", call], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out.csv").read_text().startswith("machine,")


def test_under_a_limit_on_files_no_cut_bytecode_is_left_beside_a_module(tmp_path):
    """Python would leave it, and every later import of that module would end in a traceback."""
    pytest.importorskip("resource")
    (tmp_path / "large.py").write_text(f"LINES = {[f'line {i}' for i in range(5000)]}\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": ""}
    command = f"ulimit -f 64; {shlex.quote(sys.executable)} -c 'import bench, large'"
    subprocess.run(["sh", "-c", command], env=environment, check=True)
    assert not (tmp_path / "__pycache__").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")
@pytest.mark.parametrize(("call", "status"), [("--help", 1), ("export table {}", 1), ("list nothing", 2)])
def test_an_output_that_takes_nothing_more_is_one_line_not_two_of_python(tmp_path, call, status):
    """Whether it shows while the command runs or as Python ends. An error output like that changes no status."""
    call = [sys.executable, "-m", "bench", *call.format(tmp_path / "t.csv").split()]
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}  # buffered, as it is for most
    with open("/dev/full", "w") as full:
        done = subprocess.run(call, cwd=ROOT, env=environment, stdout=full, stderr=subprocess.PIPE, text=True)
        assert (done.returncode, done.stderr.count("\n")) == (status, 1), done.stderr
        assert ("No space left on device" in done.stderr) == (status == 1)
        assert subprocess.run(call, cwd=ROOT, env=environment, stdout=full, stderr=full).returncode == status


@pytest.mark.parametrize(
    "call", [["list", "claims", "--model", "mar-l"], ["export", "table", "ü.csv", "--results", ROOT / "results"]]
)
def test_a_locale_of_ascii_alone_prints_and_names_files_all_the_same(tmp_path, call):
    ascii_alone = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONPATH": str(ROOT)}
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONIOENCODING"} | ascii_alone
    call = [sys.executable, "-m", "bench", *call]
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == (["ü.csv"] if "export" in call else [])


def test_a_results_folder_whose_name_is_no_utf_8_is_reported_on(capsys, tmp_path):
    folder = tmp_path / os.fsdecode(b"r\xff")
    try:
        folder.symlink_to(ROOT / "results")
    except OSError:
        pytest.skip("a file system of UTF-8 alone")
    for name, more in (("page.html", ()), ("page.csv", ("--format", "csv"))):
        status, _, err = bench(capsys, "report", "--results", folder, "--out", tmp_path / name, *more)
        assert (status, err) == (0, "")
        assert (tmp_path / name).read_text(encoding="utf-8")


def test_a_fault_of_the_machine_is_told_from_one_of_ours():
    assert machines_fault(OSError(28, "No space left on device", "out.json")) == "out.json: No space left on device"
    assert machines_fault(FileNotFoundError(2, "No such file or directory")).endswith("started in is gone")
    assert "not enough memory" in machines_fault(MemoryError())
    assert "not enough memory" in machines_fault(
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
    )
    assert "not enough memory" in machines_fault(
        ImportError("libtorch_cpu.so: failed to map segment from shared object")
    )
    assert "pip install scikit-learn" in machines_fault(ModuleNotFoundError(name="sklearn.datasets"))
    assert "this Python was built without its own module _lzma" in machines_fault(ModuleNotFoundError(name="_lzma"))
    for ours in (KeyError("x"), ValueError("x"), ModuleNotFoundError(name="bench.lost"), OSError("no number")):
        assert not machines_fault(ours)


@pytest.mark.parametrize("call", ["list models", "generate dit-digits --num 1 --out o", "clean", "time dit-digits"])
def test_a_command_started_in_a_folder_that_is_gone_says_so(capsys, tmp_path, monkeypatch, call):
    """Before it loads libraries in C that end the process with words of their own."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    line = complains(capsys, *call.split(), status=1)
    assert line == "bench: the folder that this was started in is gone\n"


def test_a_pipe_is_not_waited_for(capsys, tmp_path):
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    call = score_vqa(tmp_path)[:-1]
    for place in (2, 4, 6):
        assert "no regular file" in complains(capsys, *call[:place], pipe, *call[place + 1 :])
    assert "no regular file" in complains(
        capsys, "generate", "d-dit-digits", "--prompts", pipe, "--out", tmp_path / "o"
    )
    os.mkfifo(tmp_path / "images.npz")
    for generated in (pipe, tmp_path / "images.npz"):
        assert str(generated) in complains(capsys, "score", "images", generated, "--reference", "digits-train")
    (tmp_path / "results" / "acme").mkdir(parents=True)
    for name in ("machine.json", "dit--quality--1.json"):
        os.mkfifo(tmp_path / "results" / "acme" / name)
    assert bench(capsys, "report", "--results", tmp_path / "results", "--out", tmp_path / "page.html")[0] == 0
    assert "no regular file" in (tmp_path / "page.html").read_text()


def test_a_folder_without_a_readable_record_names_the_first(capsys, tmp_path):
    (tmp_path / "acme").mkdir()
    write(tmp_path / "acme" / "dit--quality--1.json", {"schema": 1})
    line = complains(capsys, "compare", tmp_path, ROOT / "results")
    assert "acme/dit--quality--1.json: schema 1, expected" in line


@pytest.mark.parametrize(
    ("rank", "told"),
    [
        ({"RANK": "5", "WORLD_SIZE": "4"}, "RANK='5'"),
        ({"RANK": "1e3", "WORLD_SIZE": "2000"}, "RANK='1e3'"),
        ({"RANK": "0", "WORLD_SIZE": ""}, "WORLD_SIZE=''"),
        ({"RANK": "1", "WORLD_SIZE": "2"}, "is trained by one process, WORLD_SIZE=2"),
    ],
)
def test_several_processes_do_not_train_one_digits_model_each(capsys, tmp_path, monkeypatch, rank, told):
    for name, value in rank.items():
        monkeypatch.setenv(name, value)
    assert told in complains(capsys, "train", "dit-digits", "--steps", 1, "--out", tmp_path / "weights")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_training_says_how_to_continue_and_leaves_no_temporary_file(tmp_path, number):
    command = [sys.executable, "-m", "bench", "train", "dit-digits", "--steps", "100000", "--out", "w.safetensors"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])}
    code = (
        "import sys, bench.console as c; c.PLAIN_EVERY_S = 0; from bench.__main__ import run; "
        "sys.exit(run(sys.argv[1:]))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, *command[3:]],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    child.stdout.readline()  # it trains
    child.send_signal(number)
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (130, "bench: interrupted; run the same command again to continue\n")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("number", SIGNALS)
def test_a_process_in_a_long_call_into_c_ends_all_the_same_and_leaves_no_temporary_file(tmp_path, number):
    """As a batch of a large model on a CPU is: no Python runs for minutes. Signals come twice, as torchrun sends them.

    The limit is far above the two seconds that are promised: other tests share the processor.
    """
    code = """
import hashlib, sys
from pathlib import Path
from bench import __main__ as program, files
def work(arguments):
    with files.temporary(Path("out.json").absolute()) as own:
        own.touch()
        print("begun", flush=True)
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
program.run = work
program.start()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    assert len(list(tmp_path.iterdir())) == 1
    time.sleep(1)  # it is in the long call now
    for _ in range(2):
        child.send_signal(number)
    _, err = child.communicate(timeout=30)
    assert (child.returncode, err) == (130, "bench: interrupted; run the same command again to continue\n")
    assert not list(tmp_path.iterdir())


RESULTS_CALLS = {  # a call that ends in the name of a results folder
    "plan": ["plan"],
    "clean": ["clean"],
    "verify": ["verify"],
    "report": ["report"],
    "records": ["list", "records"],
    "claims": ["list", "claims"],
    "table": ["export", "table", "t.csv"],
    "figures": ["export", "figures", "f"],
    "study": ["study", "kernels"],
    "reproduce": ["reproduce", "--quick"],
    "work": ["work", "--quick"],
    "train": ["train", "dit-digits", "--steps", "1"],
    "record": ["score", "geneval", "g.jsonl"],
}


@pytest.mark.parametrize("call", RESULTS_CALLS)
def test_a_results_folder_that_can_be_none_is_a_wrong_call(capsys, tmp_path, monkeypatch, call):
    """A file, what lies below a file, a pipe, a link to itself, an empty name (of a variable that is not set)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(tmp_path.iterdir())
    for name in ("file", "file/x", "pipe", "loop", "", "n" * 300):
        line = complains(capsys, *RESULTS_CALLS[call], "--results", name)
        assert line.startswith("bench: --results")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("call", ["clean", "verify", "report", "records", "claims", "table", "figures"])
def test_records_of_a_folder_that_does_not_exist_are_not_shown_as_none(capsys, tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    assert "'none' does not exist" in complains(capsys, *RESULTS_CALLS[call], "--results", "none")


@pytest.mark.parametrize("call", [["reproduce", "--quick"], ["study", "kernels"]])
def test_a_report_that_cannot_be_written_is_known_before_anything_is_measured(capsys, tmp_path, call):
    (tmp_path / "file").touch()
    line = complains(capsys, *call, "--results", tmp_path / "results", "--report", tmp_path / "file" / "index.html")
    assert "--report" in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
