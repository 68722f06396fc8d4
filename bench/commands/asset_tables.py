"""What `bench doctor` and `bench fetch --list` print of assets: per asset its state and what it unlocks, and below it
the exact path that was looked at."""

from __future__ import annotations

from collections.abc import Iterator

from bench.assets import KINDS, Kind, Located, assets_folder, locate, table
from bench.console import say
from bench.formatting import quantity

TITLES: dict[Kind, str] = {kind: f"{kind}s" for kind in KINDS} | {"statistics": "statistics"}


def print_assets(*, read: bool = False) -> None:
    """Every asset, by kind. read: also read their content, once, and compare the checksums."""
    found = [locate(asset, read=read) for asset in table().values()]
    usable = sum(one.usable for one in found)
    say(f"Assets in {assets_folder()} ($ARBITER_ASSETS): {usable} of {len(found)} there")
    for kind in KINDS:
        print(f"\n{TITLES[kind]}")
        for one in found:
            if one.asset.kind == kind:
                for line in lines(one):
                    say(line)


def lines(found: Located) -> Iterator[str]:
    """One asset in two or three lines; paths are never broken, so that they can be copied."""
    asset = found.asset
    size = "" if found.size is None else f", {quantity('size_bytes', found.size)}"
    checksum = f", sha256 {found.sha256[:16]}" if found.sha256 else ""
    what = f"{found.state}{size}{checksum}; licence: {asset.licence}; unlocks {', '.join(asset.unlocks)}"
    yield f"  {asset.name:<22} {what}"
    yield f"    {found.path}"
    if found.detail:
        yield f"    {found.detail}"
