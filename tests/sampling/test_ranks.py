"""Ranks as torchrun sets them; the orders in which workers take shards; torchrun's own options."""

from __future__ import annotations

import pytest
from torch.distributed.run import get_args_parser

from bench.commands.app import COMMANDS, application
from bench.errors import UsageError
from bench.sampling.ranks import ALONE, Rank, this_rank


def test_a_rank_is_read_from_the_environment():
    assert this_rank({}) == ALONE
    assert this_rank({"RANK": "2", "WORLD_SIZE": "4"}) == Rank(2, 4)
    assert this_rank({"RANK": "10", "WORLD_SIZE": "16", "LOCAL_RANK": "2"}) == Rank(10, 16, 2)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"RANK": "5", "WORLD_SIZE": "4"}, r"RANK='5': expected a whole number from 0 to 3 \(WORLD_SIZE=4\)"),
        ({"RANK": "x", "WORLD_SIZE": "4"}, "RANK='x': expected a whole number from 0 to 3"),
        ({"RANK": "-1", "WORLD_SIZE": "4"}, "RANK='-1'"),
        ({"RANK": "1.0", "WORLD_SIZE": "4"}, "RANK='1.0'"),
        ({"RANK": "", "WORLD_SIZE": "4"}, "RANK=''"),
        ({"RANK": "0", "WORLD_SIZE": "-2"}, "WORLD_SIZE='-2': expected a whole number from 1"),
        ({"RANK": "0", "WORLD_SIZE": ""}, "WORLD_SIZE=''"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, "WORLD_SIZE='0'"),
        ({"RANK": "0", "WORLD_SIZE": str(2**70)}, "WORLD_SIZE='1180591620717411303424'"),
        ({"RANK": "0", "WORLD_SIZE": "²"}, "WORLD_SIZE="),
        ({"WORLD_SIZE": "4"}, "WORLD_SIZE=4 without RANK"),
        ({"RANK": "1"}, "RANK=1 without WORLD_SIZE"),
        ({"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "y"}, "LOCAL_RANK='y'"),
    ],
)
def test_what_is_no_rank_is_one_line(environment, message):
    with pytest.raises(UsageError, match=message) as caught:
        this_rank(environment)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("world_size", [1, 2, 3, 8])
def test_every_worker_takes_every_shard_its_own_first_and_neighbours_differ(world_size):
    num = 30
    orders = [Rank(rank, world_size).order(num) for rank in range(world_size)]
    for rank, order in enumerate(orders):
        own = list(range(rank, num, world_size))
        assert sorted(order) == list(range(num))
        assert order[: len(own)] == own
    first_of_others = [order[len(range(rank, num, world_size))] for rank, order in enumerate(orders) if world_size > 1]
    assert len(set(first_of_others)) == len(first_of_others)


def test_a_gpu_is_taken_by_the_number_on_the_machine(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert Rank(9, 16, 1).device("cuda") == "cuda:1"
    assert Rank(9, 16, 5).device("cuda") == "cuda:1"  # Slurm shows each worker its own GPUs alone
    assert Rank(9, 16, 1).device("cuda:3") == "cuda:3"
    assert (Rank(9, 16, 1).device("cpu"), ALONE.device("cuda")) == ("cpu", "cuda")


@pytest.mark.parametrize("door", ["generate", "caption", "answer", "work"])
def test_every_option_passes_through_torchrun(door):
    """torchrun takes `--num` for its own --numa-binding, so generate has another name for it; nothing else collides."""
    assert door in COMMANDS
    command = application().get_command(None, door)
    options = [name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)]
    options = [name for name in options if name.startswith("--")]
    assert len(options) > 5
    for option in options:
        arguments = ["--nproc-per-node", "2", "-m", "bench", door, option, "3"]
        if option == "--num":
            assert "--num-images" in options
            continue
        assert get_args_parser().parse_args(arguments).training_script_args == [door, option, "3"]


def test_small_models_run_on_one_thread_unless_the_user_says_otherwise(monkeypatch):
    import torch

    from bench.sampling.ranks import limit_threads
    from reference_models import find

    told = []
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    limit_threads(find("transdiff-b"))
    assert told == []
    limit_threads(find("dit-digits"))
    assert told == [1]
    for number in ("4", " 2", "08", "+3", "4,2"):
        monkeypatch.setenv("OMP_NUM_THREADS", number)
        limit_threads(find("dit-digits"))
        assert told == [1]
    for number in ("", "0", "-3", "all"):  # OpenMP passes over these, and takes every processor
        monkeypatch.setenv("OMP_NUM_THREADS", number)
        limit_threads(find("dit-digits"))
    assert told == 5 * [1]
