"""What an asset is: a file or folder that a clone does not hold, where it is published and how it is recognised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["model", "autoencoder", "text encoder", "statistics", "extractor", "data set"]
KINDS: tuple[Kind, ...] = ("model", "autoencoder", "text encoder", "statistics", "extractor", "data set")

State = Literal[
    "there",
    "not as published",  # whole, but of another checksum, size or number of files than published: usable, and said
    "missing",
    "incomplete",  # a folder that lacks parts
    "truncated",  # a file that ends early: by its published size, or by its own format
    "changed",  # of another content than when it was first used here
]
USABLE: tuple[State, ...] = ("there", "not as published")

HUB = "huggingface.co"
PIPELINE = ("transformer", "vae", "text_encoder", "tokenizer")  # of a released D-DiT folder, in diffusers' layout


@dataclass(frozen=True)
class Part:
    """Something that must lie inside an asset's folder."""

    names: tuple[str, ...]  # below the asset's folder: as published, then as others lay it out; the first that exists
    holds: Literal["file", "weights", "files", "classes"] = "file"
    # file: it is one.  weights: a folder in diffusers' or transformers' layout, all shards there.
    # files: a folder of images.  classes: a folder with one folder per class (or the images themselves).
    count: int | None = None  # of "files" and "classes": how many are published; None: not counted


@dataclass(frozen=True)
class Url:
    """A file at an address of its own."""

    url: str
    into: str  # where it goes, below the asset's repository folder; of an archive the folder that it is unpacked into
    unpack: bool = False  # a .zip, unpacked and removed


@dataclass(frozen=True)
class Hub:
    """Files of a model repository on the Hugging Face Hub."""

    repository: str  # as "zhendch/Transdiff"
    patterns: tuple[str, ...]  # of the files inside it, as "transformer/*"


@dataclass(frozen=True)
class Asset:
    """One row of the table.  `path` is where it is looked for first, below the assets folder: `<repository>/<file>`."""

    name: str
    kind: Kind
    repository: str  # where it is published, without a scheme; the folder that holds it
    file: str  # the file or folder inside it, "" for all of it
    licence: str  # as its authors state it
    unlocks: tuple[str, ...]  # models, metrics and protocols that need it
    parts: tuple[Part, ...] = ()  # what its folder must hold; (): it is a single file
    needs: tuple[str, ...] = ()  # names of the assets that it is no use without
    downloads: tuple[Url | Hub, ...] = ()  # (): nobody may download it unasked, see `get`
    get: str = ""  # how a person gets it, where `downloads` is empty
    size: int | None = None  # bytes of the published file; None: not known for certain
    sha256: str | None = None  # of the published file, or its first digits; None: not known for certain
    also: tuple[str, ...] = ()  # further places below the assets folder where it may lie
    in_torch_hub: bool = False  # torch-fidelity looks for it among the files of torch.hub: so do we

    @property
    def path(self) -> str:
        return f"{self.repository}/{self.file}".rstrip("/")

    @property
    def places(self) -> tuple[str, ...]:
        """Below the assets folder, best first: as published, without the host, and as a clone of the repository."""
        host, _, rest = self.path.partition("/")
        shorter = [rest] if "." in host else []
        if host in (HUB, "github.com"):
            shorter.append(rest.partition("/")[2])
        return tuple(dict.fromkeys([self.path, *shorter, *self.also]))

    @property
    def fetchable(self) -> bool:
        return bool(self.downloads)
