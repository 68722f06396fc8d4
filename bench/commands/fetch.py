"""Getting assets: `python -m bench fetch NAME...`. Nothing else in the project downloads anything."""

from __future__ import annotations

from typing import Annotated

import typer

from bench import assets
from bench.assets.download import fetch as download
from bench.commands.app import example
from bench.commands.asset_tables import lines, print_assets
from bench.console import say
from bench.errors import UsageError


@example("python -m bench fetch transdiff-h kl-16 adm-imagenet-256 inception")
def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="assets, see --list")] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="print every asset, where it belongs and what is there")
    ] = False,
    accept: Annotated[
        bool, typer.Option(help="download nothing: what lies there now is the asset, whatever lay there before")
    ] = False,
) -> None:
    """Get released weights, reference statistics, feature extractors and data sets into $ARBITER_ASSETS.

    An interrupted download continues when the same command runs again. What is there and whole is left alone.
    """
    if list_:
        if names or accept:
            raise UsageError(
                f"fetch --list prints every asset: leave out {'--accept' if accept else ' '.join(names or ())}"
            )
        print_assets()
        return
    if not names:
        raise UsageError("fetch: no asset named; `python -m bench fetch --list` prints them")
    wanted = [assets.find(name) for name in dict.fromkeys(names)]
    if accept:
        for asset in wanted:
            for line in lines(assets.accept(asset)):
                say(line)
        return
    before = {asset.name: assets.locate(asset) for asset in wanted}
    for asset in wanted:  # before hours of downloads: what only a person can get
        if not asset.fetchable and not before[asset.name].usable:
            raise UsageError(before[asset.name].complaint)
    for asset in wanted:
        found = before[asset.name]
        if found.usable:
            say(f"{asset.name} is there already: {found.path}")
            continue
        say(f"{asset.name}: licence: {asset.licence}")
        for line in lines(download(asset)):
            say(line)
    lacking = {need for asset in wanted for need in asset.needs if not assets.locate(assets.find(need)).usable}
    if lacking:
        say(f"also needed: python -m bench fetch {' '.join(sorted(lacking))}")
