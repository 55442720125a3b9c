"""A complete weights folder of a few hundred kilobytes, in the layout of the real one.

The weights are random, so the fill is noise; everything else, from the search for files to the last decoded frame, is
what the real weights go through.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel

from void_server.training.layout import Networks, new_folder, new_text_encoder, write_networks

CARD = {"name": "untrained tiny", "notice": "untrained weights: the fill is noise"}

TEXT_WIDTH = 32
VAE = {
    "block_out_channels": (2, 4, 8, 8),  # few at full size, where all the time goes
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "latent_channels": 16,
    "scaling_factor": 0.7,
}
TRANSFORMER = {
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "num_layers": 2,
    "in_channels": 48,
    "out_channels": 16,
    "time_embed_dim": 32,
    "text_embed_dim": TEXT_WIDTH,
    "sample_height": 96,
    "sample_width": 160,
    "sample_frames": 21,
    "patch_size": 2,
    "patch_size_t": 2,
    "patch_bias": False,
    "use_rotary_positional_embeddings": True,
}


def write_random_weights(folder: Path | str, seed: int = 0) -> None:
    """Write a small random model into `folder`, which must be new or empty; the same seed gives the same files.

    The folder appears whole or not at all. Raises FileExistsError.
    """
    with new_folder(folder) as made, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = Networks(
            AutoencoderKLCogVideoX(**VAE),
            new_text_encoder(TEXT_WIDTH),
            (CogVideoXTransformer3DModel(**TRANSFORMER), CogVideoXTransformer3DModel(**TRANSFORMER)),
        )
        write_networks(made, networks, CARD, torch.bfloat16)
