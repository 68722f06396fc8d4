"""What scores need: reference statistics, feature extractors and data sets, in the layouts of their releases.

Numbers of files: ILSVRC2012 (1,281,167 and 50,000 images of 1,000 classes) and COCO (40,504 and 5,000 images).
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.assets.asset import Asset, Part, Url

ADM = "openaipublic.blob.core.windows.net/diffusion/jul-2021/ref_batches/imagenet"
INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
INCEPTION_TORCHSCRIPT = "inception-2015-12-05.pt"
DINOV2 = "dinov2_vitl14_pretrain.pth"
DETECTOR = "mask2former_swin-s-p4-w7-224_lsj_8x2_50e_coco.pth"
COCO = "http://images.cocodataset.org"
VQA = "https://s3.amazonaws.com/cvmlp/vqa/mscoco/vqa"
OKVQA = "https://okvqa.allenai.org/static/data"
VIZWIZ = "https://vizwiz.cs.colorado.edu/VizWiz_final"
GQA = "https://downloads.cs.stanford.edu/nlp/data/gqa"
POPE = "https://raw.githubusercontent.com/AoiDragon/POPE/main/output/coco"
GENEVAL = "https://raw.githubusercontent.com/djghosh13/geneval/main/prompts"
POPE_FILES = tuple(f"coco_pope_{kind}.json" for kind in ("random", "popular", "adversarial"))
IMAGENET_LICENCE = "ImageNet's terms: non-commercial research and education"
COCO_LICENCE = "annotations CC BY 4.0, images under Flickr's terms"


def statistics() -> Iterator[Asset]:
    """ADM's reference batches: 10,000 images, and the statistics of the whole training set."""
    for size, file in ((256, "VIRTUAL_imagenet256_labeled.npz"), (512, "VIRTUAL_imagenet512.npz")):
        yield Asset(
            name=f"adm-imagenet-{size}",
            kind="statistics",
            repository=f"{ADM}/{size}",
            file=file,
            licence="MIT",
            unlocks=tuple(f"{metric} of imagenet-{size}" for metric in ("fid", "sfid", "precision, recall")),
            downloads=(Url(f"https://{ADM}/{size}/{file}", file),),
            also=(file,),
        )


def extractors() -> Iterator[Asset]:
    """Networks whose features the scores are made of, and GenEval's detector."""
    yield extractor(
        "inception",
        f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{INCEPTION}",
        "Apache 2.0",
        ("fid, sfid, kid, inception_score, precision, recall",),
        repository="github.com/toshas/torch-fidelity",
        sha256="6726825d",  # torch.hub's rule: a file's name ends in the first digits of its checksum
        in_torch_hub=True,
    )
    yield extractor(
        "inception-torchscript",
        f"https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/{INCEPTION_TORCHSCRIPT}",
        "Apache 2.0 (the original weights)",
        ("fid_clean",),
    )
    yield extractor(
        "dinov2-vitl14",
        f"https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/{DINOV2}",
        "Apache 2.0",
        ("fd_dinov2",),
        in_torch_hub=True,
    )
    yield extractor(
        "geneval-detector",
        "https://download.openmmlab.com/mmdetection/v3.0/mask2former/mask2former_swin-s-p4-w7-224_8xb2-lsj-50e_coco/"
        "mask2former_swin-s-p4-w7-224_8xb2-lsj-50e_coco_20220504_001756-c9d0c4f2.pth",
        "Apache 2.0",
        ("geneval",),
        repository="github.com/djghosh13/geneval",
        into=DETECTOR,  # the name that GenEval's own download script gives it
    )


def extractor(
    name: str,
    url: str,
    licence: str,
    unlocks: tuple[str, ...],
    *,
    repository: str = "",
    into: str = "",
    sha256: str | None = None,
    in_torch_hub: bool = False,
) -> Asset:
    """A single file at an address. repository: its folder, if not the address itself; into: its name, if another."""
    folder, _, published = url.removeprefix("https://").rpartition("/")
    return Asset(
        name=name,
        kind="extractor",
        repository=repository or folder,
        file=into or published,
        licence=licence,
        unlocks=unlocks,
        downloads=(Url(url, into or published),),
        sha256=sha256,
        also=(into or published,),
        in_torch_hub=in_torch_hub,
    )


def data_sets() -> Iterator[Asset]:
    """Recognised by the files that their evaluators need."""
    yield from imagenet()
    yield from coco()
    yield questions(
        "vqa-v2",
        "CC BY 4.0",
        (Part(("v2_OpenEnded_mscoco_val2014_questions.json",)), Part(("v2_mscoco_val2014_annotations.json",))),
        (f"{VQA}/v2_Questions_Val_mscoco.zip", f"{VQA}/v2_Annotations_Val_mscoco.zip"),
        needs=("coco-val2014",),
    )
    yield questions(
        "okvqa",
        "not stated",
        (Part(("OpenEnded_mscoco_val2014_questions.json",)), Part(("mscoco_val2014_annotations.json",))),
        (f"{OKVQA}/OpenEnded_mscoco_val2014_questions.json.zip", f"{OKVQA}/mscoco_val2014_annotations.json.zip"),
        needs=("coco-val2014",),
        also=("ok-vqa", "OKVQA", "OK-VQA"),
    )
    yield questions(
        "vizwiz",
        "CC BY 4.0",
        (Part(("val.json", "Annotations/val.json", "annotations/val.json")), Part(("val", "images/val"), "files")),
        (f"{VIZWIZ}/vqa_data/Annotations.zip", f"{VIZWIZ}/images/val.zip"),
        also=("VizWiz",),
    )
    yield questions(
        "gqa",
        "CC BY 4.0",
        (
            Part(
                ("testdev_balanced_questions.json", *(f"{n}/testdev_balanced_questions.json" for n in GQA_FOLDERS)),
            ),
            Part(("images",), "files"),
        ),
        (f"{GQA}/questions1.2.zip", f"{GQA}/images.zip"),
        also=("GQA",),
    )
    yield Asset(
        name="pope",
        kind="data set",
        repository="github.com/AoiDragon/POPE",
        file="output/coco",
        licence="MIT",
        unlocks=("pope",),
        parts=tuple(Part((file,)) for file in POPE_FILES),
        needs=("coco-val2014",),
        downloads=tuple(Url(f"{POPE}/{file}", f"output/coco/{file}") for file in POPE_FILES),
        also=("pope", "POPE"),
    )
    yield Asset(
        name="mme",
        kind="data set",
        repository="mme",
        file="",
        licence="research only",
        unlocks=("mme",),
        parts=tuple(Part((task,), "files") for task in MME_FIRST),
        get="its authors send it on request (github.com/BradyFU/Awesome-Multimodal-Large-Language-Models); unpack the "
        "folders of its subtasks (existence, count, ...)",
        also=("MME", *(f"{top}{folder}" for top in ("mme/", "MME/", "") for folder in MME_FOLDERS)),
    )
    yield Asset(
        name="geneval",
        kind="data set",
        repository="github.com/djghosh13/geneval",
        file="prompts/evaluation_metadata.jsonl",
        licence="MIT",
        unlocks=("geneval",),
        downloads=(Url(f"{GENEVAL}/evaluation_metadata.jsonl", "prompts/evaluation_metadata.jsonl"),),
    )


GQA_FOLDERS = ("questions1.2", "questions")
MME_FOLDERS = (
    "MME_Benchmark_release_version/MME_Benchmark",
    "MME_Benchmark_release_version",
    "MME_Benchmark",
)  # its archive's
MME_FIRST = (
    "existence",
    "count",
    "position",
    "color",
)  # the subtasks that every copy has; the others are read if there


def imagenet() -> Iterator[Asset]:
    for split, archive, what in (
        ("train", "ILSVRC2012_img_train.tar", "training TransDiff, MAR and DiT"),
        ("val", "ILSVRC2012_img_val.tar", "the real-data floor of imagenet-256 and imagenet-512"),
    ):
        yield Asset(
            name=f"imagenet-{split}",
            kind="data set",
            repository="imagenet",
            file=split,
            licence=IMAGENET_LICENCE,
            unlocks=(what,),
            parts=(Part(("",), "classes", 1000),),
            get=f"register at image-net.org, download {archive}, unpack it into one folder per class (n01440764, ...)",
            also=(f"image-net.org/{split}", f"ILSVRC2012/{split}", f"imagenet-1k/{split}", f"ImageNet/{split}"),
        )


def coco() -> Iterator[Asset]:
    uses = {
        "val2014": (40_504, ("coco-captions", "coco-images", "vqa-v2, okvqa, pope")),
        "val2017": (5_000, ("captions of val2017",)),
    }
    for split, (count, unlocks) in uses.items():
        year = split.removeprefix("val")
        yield Asset(
            name=f"coco-{split}",
            kind="data set",
            repository="coco",
            file="",
            licence=COCO_LICENCE,
            unlocks=unlocks,
            parts=(
                Part((split, f"images/{split}"), "files", count),
                Part((f"annotations/captions_{split}.json", f"captions_{split}.json")),
            ),
            downloads=(
                Url(f"{COCO}/zips/{split}.zip", "", unpack=True),
                Url(f"{COCO}/annotations/annotations_trainval{year}.zip", "", unpack=True),
            ),
            also=("images.cocodataset.org", "cocodataset.org", "COCO", f"coco{year}"),
        )


def questions(
    name: str,
    licence: str,
    parts: tuple[Part, ...],
    archives: tuple[str, ...],
    *,
    needs: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
) -> Asset:
    """A question set whose files come in archives, unpacked into one folder of its name."""
    return Asset(
        name=name,
        kind="data set",
        repository=name,
        file="",
        licence=licence,
        unlocks=(name,),
        parts=parts,
        needs=needs,
        downloads=tuple(Url(archive, "", unpack=True) for archive in archives),
        also=also,
    )
