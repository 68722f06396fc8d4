"""The tree in the README is that of the repository: what it names exists, and no part of the house goes unnamed."""

from __future__ import annotations

import re

from tests.paths import ROOT


def named_paths() -> list[str]:
    """Every path in the tree, as "bench/claims": a name that is indented lies in the folder above it, as do files that
    its line tells of."""
    text = (ROOT / "README.md").read_text()
    block = text.split("## Where things are")[1].split("```")[1]
    paths, folder = [], ""
    for line in block.strip().splitlines():
        name = line.split()[0].rstrip("/")
        folder = folder if line.startswith(" ") else name
        paths.append(f"{folder}/{name}" if line.startswith(" ") else name)
        paths += [f"{folder}/{other}" for other in re.findall(r"\b\w+\.py\b", line)[name.endswith(".py") :]]
    return paths


def test_every_path_in_the_tree_exists():
    assert [path for path in named_paths() if not (ROOT / path).exists()] == []


def test_every_part_of_the_bench_and_every_model_file_is_in_the_tree():
    """Top-level units of bench/, and all of reference_models/ but the package's own file."""
    units = {
        f"{top}/{path.name}"
        for top in ("bench", "reference_models")
        for path in (ROOT / top).iterdir()
        if (path.suffix == ".py" or (path.is_dir() and path.name != "__pycache__")) and path.name != "__init__.py"
    }
    assert units - set(named_paths()) == set()


def test_every_unit_of_the_bench_stands_in_its_map():
    """bench/__init__.py names folders with a slash and files by their names."""
    import bench

    units = {path for path in (ROOT / "bench").iterdir() if path.suffix == ".py" or path.is_dir()}
    names = {path.name + "/" * path.is_dir() for path in units if not path.name.startswith("__")}
    assert {name for name in names if name not in str(bench.__doc__)} == set()
