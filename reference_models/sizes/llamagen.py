"""LlamaGen's sizes and settings (arXiv:2406.06525, tables 8 to 10; sizes as in the authors' gpt.py)."""

from __future__ import annotations

from reference_models.digits import small_spec
from reference_models.spec import Network, Official, Spec

LLAMAGEN = Network("reference_models.llamagen:LlamaGen")


def swiglu_size(hidden_size: int, multiple_of: int = 256, multiplier: float = 1.0) -> int:
    """Width of a SwiGLU with as many parameters as an MLP of ratio 4: 8/3 of hidden_size, rounded up (as Llama)."""
    size = int(multiplier * int(8 * hidden_size / 3))
    return -(-size // multiple_of) * multiple_of


def _paper(
    size: str,
    width: int,
    depth: int,
    num_heads: int,
    cfg_scale: float,
    params: float,
    file: str = "",
    image_size: int = 256,
) -> Spec:
    """A size of the paper at 256 px, 16x16 tokens, or at 384 px, 24x24 tokens, with the guidance of its row there."""
    large = image_size != 256
    file = f"c2i_{size.upper()}_{image_size}.pt" if large else file
    notes = ["the paper's best numbers (tables 9, 10) are of 24x24 tokens, 384 px, resized to 256: another model"]
    if large:
        notes = ["scored at 256 px: the authors resize its images of 384 px, bicubic, before they are rounded"]
    if not file:
        notes.append("weights are published for 24x24 tokens only; loaded here they would write a grid never trained")
    config = {"hidden_size": width, "depth": depth, "num_heads": num_heads, "mlp_size": swiglu_size(width)}
    return Spec(
        name=f"llamagen-{size}" + (f"-{image_size}" if large else ""),
        family="llamagen",
        network=LLAMAGEN,
        config=config | ({"latent_size": image_size // 16} if large else {}),
        sampling={"cfg_scale": cfg_scale, "temperature": 1.0, "top_k": 0, "top_p": 1.0},
        autoencoder="vq-16",
        scale="imagenet-256",
        image_size=image_size,
        source=f"arXiv:2406.06525, table{'s 9, 10' if large else ' 8'}; sizes as in the authors' gpt.py",
        num_params=params,
        official=Official("huggingface.co/FoundationVision/LlamaGen", file, "MIT") if file else None,
        version=2,  # draws in float64
        notes=tuple(notes),
    )


SPECS: tuple[Spec, ...] = (  # with the scores that tables 8 and 9 print
    _paper("b", 768, 12, 12, cfg_scale=2.0, params=111e6, file="c2i_B_256.pt"),  # FID 5.464, IS 193.613
    _paper("l", 1024, 24, 16, cfg_scale=1.75, params=343e6, file="c2i_L_256.pt"),  # FID 3.805, IS 248.28
    _paper("xl", 1280, 36, 20, cfg_scale=1.75, params=775e6),  # FID 3.391, IS 227.081
    _paper("xxl", 1536, 48, 24, cfg_scale=1.75, params=1.4e9),  # FID 3.094, IS 253.609
    _paper("3b", 3200, 24, 32, cfg_scale=1.5, params=3.1e9),  # FID 3.05, IS 222.33
    _paper("b", 768, 12, 12, cfg_scale=2.25, params=111e6, image_size=384),  # FID 6.09, IS 182.538
    _paper("l", 1024, 24, 16, cfg_scale=2.0, params=343e6, image_size=384),  # FID 3.07, IS 256.067
    _paper("xl", 1280, 36, 20, cfg_scale=1.75, params=775e6, image_size=384),  # FID 2.62, IS 244.085
    _paper("xxl", 1536, 48, 24, cfg_scale=1.75, params=1.4e9, image_size=384),  # FID 2.34, IS 253.906
    _paper("3b", 3200, 24, 32, cfg_scale=1.65, params=3.1e9, image_size=384),  # FID 2.18, IS 263.334
    small_spec("llamagen-digits", LLAMAGEN),
)
