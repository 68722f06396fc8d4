"""Released weights and autoencoders as assets, derived from the specs of reference_models: one source for both."""

from __future__ import annotations

from collections.abc import Iterator

from bench.assets.asset import HUB, PIPELINE, Asset, Hub, Part, Url
from bench.published import PUBLISHED
from reference_models import specs
from reference_models.sizes.autoencoders import AUTOENCODERS
from reference_models.spec import Official, Spec

# Of files that are not at https://<repository>/<file>: Dropbox links of the authors' download scripts.
MAR_LINKS = "https://www.dropbox.com/scl/fi/{}/checkpoint-last.pth?rlkey={}&dl=1"
URLS = {
    "mar-b": MAR_LINKS.format("f6dpuyjb7fudzxcyhvrhk", "a6i4bo71vhfo4anp33n9ukujb"),
    "mar-l": MAR_LINKS.format("pxacc5b2mrt3ifw4cah6k", "m48ovo6g7ivcbosrbdaz0ehqt"),
    "mar-h": MAR_LINKS.format("1qmfx6fpy3k7j9vcjjs3s", "4lae281yzxb406atp32vzc83o"),
    "sit-xl-2": "https://www.dl.dropboxusercontent.com/scl/fi/as9oeomcbub47de5g4be0/SiT-XL-2-256.pt"
    "?rlkey=uxzxmpicu46coq3msb17b9ofa&dl=0",
}
# (bytes, SHA-256) of released files, as many who pin them have them; no author prints one.
PINNED = {"sd-vae-ft-mse": (334_643_276, "a1d993488569e928462932c8c38a0760b874d166399b14414135bd9c42df5815")}
# MAR's download script writes below pretrained_models/ and has the same autoencoder as kl16.ckpt.
MAR_AUTOENCODER = "vae/kl16.ckpt"

PIPELINE_PARTS = (
    *(Part((name,), "weights") for name in PIPELINE[:3]),
    Part(("tokenizer",), "files"),
)
IMAGES_AND_CAPTIONS = ("coco-captions", "coco-images", "geneval")
QUESTIONS = ("vqa-v2", "okvqa", "vizwiz", "gqa", "pope", "mme")

SD3 = "stabilityai/stable-diffusion-3-medium-diffusers"
SD3_LICENCE = "Stability AI Community License, to be accepted on its page"


def models() -> Iterator[Asset]:
    """Every model whose authors publish weights."""
    for spec in specs().values():
        if spec.official is None:
            continue
        if spec.network.conditioned_on == "prompts":
            yield pipeline(spec.name, spec.official.repository, spec.official.licence, IMAGES_AND_CAPTIONS)
        else:
            yield model(spec, spec.official)
    released = next(s.official for s in specs().values() if s.name == "d-dit-512")
    assert released is not None
    # The same network, instruction-tuned: what the authors answer questions with.
    yield pipeline("d-dit-512-sft", released.repository.replace("_base", "_sft"), released.licence, QUESTIONS)


def model(spec: Spec, official: Official) -> Asset:
    """A single file, which needs its autoencoder beside it."""
    repository = folder(official)
    also: list[str] = []
    if repository.startswith("github.com/"):  # a clone: the download scripts of MAR and SiT write there
        clone = f"{repository}/pretrained_models/{official.file}"
        also += [clone, clone.split("/", 1)[1], clone.split("/", 2)[2]]
    if not official.file.endswith("checkpoint-last.pth"):  # a name that says what it is
        also.append(official.file)
    return Asset(
        name=spec.name,
        kind="model",
        repository=repository,
        file=official.file,
        licence=official.licence,
        unlocks=(spec.scale,),
        needs=(spec.autoencoder,),
        downloads=(download(spec.name, official),),
        also=tuple(also),
    )


def pipeline(name: str, repository: str, licence: str, unlocks: tuple[str, ...]) -> Asset:
    """A folder that brings its own autoencoder and text encoder."""
    patterns = ("model_index.json", "scheduler/*", *(f"{part}/*" for part in PIPELINE))
    return Asset(
        name=name,
        kind="model",
        repository=repository,
        file="",
        licence=licence,
        unlocks=unlocks,
        parts=PIPELINE_PARTS,
        downloads=(Hub(repository.removeprefix(f"{HUB}/"), patterns),),
    )


def autoencoders() -> Iterator[Asset]:
    """Every autoencoder whose authors publish weights."""
    for name, spec in AUTOENCODERS.items():
        if spec.official is None:
            continue
        users = dict.fromkeys(s.family for s in specs().values() if s.autoencoder == name)
        users |= {f"{row.model} ({row.variant})": None for row in PUBLISHED.values() if row.autoencoder == name}
        also: tuple[str, ...] = ()
        if name == "kl-16":
            also = tuple(f"{top}mar/{sub}{MAR_AUTOENCODER}" for top in MAR_TOPS for sub in ("", "pretrained_models/"))
        yield Asset(
            name=name,
            kind="autoencoder",
            repository=folder(spec.official),
            file=spec.official.file,
            licence=spec.official.licence,
            unlocks=tuple(users),
            downloads=(download(name, spec.official),),
            size=PINNED.get(name, (None, None))[0],
            sha256=PINNED.get(name, (None, None))[1],
            also=also,
        )


MAR_TOPS = ("github.com/LTH14/", "LTH14/", "")


def text_encoders() -> Iterator[Asset]:
    """D-DiT's released folders bring theirs; this is the one that they were trained from."""
    yield Asset(
        name="t5-xxl",
        kind="text encoder",
        repository=f"{HUB}/{SD3}",
        file="",
        licence=f"Apache 2.0 (T5); {SD3_LICENCE}",
        unlocks=("training D-DiT from SD3-medium",),
        parts=(Part(("text_encoder_3",), "weights"), Part(("tokenizer_3",), "files")),
        downloads=(Hub(SD3, ("text_encoder_3/*", "tokenizer_3/*")),),
    )


def folder(official: Official) -> str:
    """The repository without the remark that some bear, as "github.com/LTH14/mar (links in the README)"."""
    return official.repository.split(" (")[0]


def download(name: str, official: Official) -> Url | Hub:
    repository = folder(official)
    if repository.startswith(f"{HUB}/"):
        return Hub(repository.removeprefix(f"{HUB}/"), (official.file,))
    return Url(URLS.get(name, f"https://{repository}/{official.file}"), official.file)
