"""The sizes of all autoencoders and tokenizers, the papers' and the small ones."""

from __future__ import annotations

from reference_models.spec import AutoencoderSpec, Network, Official, Recipe

KL = Network("reference_models.autoencoders:KLAutoencoder")
VQ = Network("reference_models.autoencoders:VQAutoencoder")
VAR_VQ = Network("reference_models.autoencoders:MultiScaleVQAutoencoder")
PATCHES = Network("reference_models.autoencoders:PatchLatents")
RGB_PATCHES = Network("reference_models.autoencoders:RGBPatchLatents")

_SD_VAE = {"latent_channels": 4, "channel_mult": (1, 2, 4, 4), "scale": 0.18215}
_SD3_SCALE = {"scale": 1.5305, "shift": 0.0609}
_VAR_SCALES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16)
_DIGITS_TOKENIZER = {"channels": 24, "channel_mult": (1, 2), "num_res_blocks": 1, "num_groups": 8, "image_channels": 1}

AUTOENCODERS: dict[str, AutoencoderSpec] = {
    spec.name: spec
    for spec in (
        AutoencoderSpec("patch-2x2", PATCHES, {}, "this project"),
        AutoencoderSpec(
            "kl-16",
            KL,
            {"latent_channels": 16, "channel_mult": (1, 1, 2, 2, 4), "encoder_attention": (4,), "scale": 0.2325},
            "MAR (2406.11838); scale as in its engine_mar.py; TransDiff (2506.09482) uses the same",
            Official("huggingface.co/zhendch/Transdiff", "vae/checkpoint-last.pth", "MIT"),
        ),
        AutoencoderSpec(
            "sd-vae",
            KL,
            _SD_VAE,
            "Latent diffusion (2112.10752); scale as in DiT (2212.09748)",
            Official("huggingface.co/stabilityai/sd-vae-ft-ema", "diffusion_pytorch_model.safetensors", "MIT"),
        ),
        # The same network with its other released decoders; the encoder is the same in all three.
        AutoencoderSpec(
            "sd-vae-ft-mse",
            KL,
            _SD_VAE,
            "Latent diffusion (2112.10752), decoder tuned further for its squared error",
            Official("huggingface.co/stabilityai/sd-vae-ft-mse", "diffusion_pytorch_model.safetensors", "MIT"),
        ),
        AutoencoderSpec(
            "sd-vae-original",
            KL,
            _SD_VAE,
            "Latent diffusion (2112.10752), kl-f8 before its decoder was tuned, as Stable Diffusion 1.4 brings it",
            Official(
                "huggingface.co/CompVis/stable-diffusion-v1-4",
                "vae/diffusion_pytorch_model.safetensors",
                "CreativeML OpenRAIL-M",
            ),
        ),
        AutoencoderSpec(
            "sd3-vae",
            KL,
            {"latent_channels": 16, "channel_mult": (1, 2, 4, 4), "quant_convs": False, **_SD3_SCALE},
            "SD3 (2403.03206); scale and shift as in its vae/config.json",
            Official(
                "huggingface.co/stabilityai/stable-diffusion-3-medium-diffusers",
                "vae/diffusion_pytorch_model.safetensors",
                "Stability AI Community License",
            ),
        ),
        AutoencoderSpec(
            "vq-16",
            VQ,
            {"vocab_size": 16384, "code_dim": 8},
            "LlamaGen (2406.06525), VQ-16 of its vq_model.py",
            Official("huggingface.co/FoundationVision/LlamaGen", "vq_ds16_c2i.pt", "MIT"),
        ),
        AutoencoderSpec(
            "var-vq",
            VAR_VQ,
            {"vocab_size": 4096, "code_dim": 32, "scales": _VAR_SCALES},
            "VAR (2404.02905) section 3.2",
            Official("huggingface.co/FoundationVision/var", "vae_ch160v4096z32.pth", "MIT"),
        ),
        AutoencoderSpec(
            "var-vq-512",
            VAR_VQ,
            {"vocab_size": 4096, "code_dim": 32, "scales": (1, 2, 3, 4, 6, 9, 13, 18, 24, 32)},
            "VAR (2404.02905): the 256-pixel tokenizer with the scales of 512 pixels",
            Official("huggingface.co/FoundationVision/var", "vae_ch160v4096z32.pth", "MIT"),
        ),
        AutoencoderSpec(
            "vq-digits",
            VQ,
            {"vocab_size": 256, "code_dim": 8, "latent_channels": 32, **_DIGITS_TOKENIZER},
            "this project: vq-16 at the digits scale",
            recipe=Recipe(num_steps=3000),
        ),
        AutoencoderSpec(
            "var-vq-digits",
            VAR_VQ,
            {"vocab_size": 256, "code_dim": 8, "scales": (1, 2, 3, 4), **_DIGITS_TOKENIZER},
            "this project: var-vq at the digits scale",
            recipe=Recipe(num_steps=3000),
        ),
        AutoencoderSpec("patch-4x4-rgb", RGB_PATCHES, {}, "this project"),
    )
}
