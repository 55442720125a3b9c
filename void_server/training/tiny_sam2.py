"""A SAM 2 for video of four megabytes, in the layout of the real one.

Its weights are random, so its masks mean nothing; the code that loads and runs it is what the real weights go through.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import Sam2VideoConfig, Sam2VideoModel

SIZE = 64
WIDTH = 128  # the least: memories have 64 channels, hard-coded, and pointers must be wider than memories
STAGES = [8, 16, 32, 64]

CONFIG = {
    "image_size": SIZE,
    "vision_config": {
        "model_type": "sam2_vision_model",
        "backbone_config": {
            "model_type": "sam2_hiera_det_model",
            "hidden_size": STAGES[0],
            "image_size": [SIZE, SIZE],
            "blocks_per_stage": [1, 1, 2, 1],
            "embed_dim_per_stage": STAGES,
            "num_attention_heads_per_stage": [1, 1, 2, 2],
            "window_size_per_stage": [8, 4, 4, 2],
            "global_attention_blocks": [3],  # not the first of a stage, which pools
            "window_positional_embedding_background_size": [2, 2],
        },
        "backbone_channel_list": STAGES[::-1],
        "backbone_feature_sizes": [[SIZE // 4] * 2, [SIZE // 8] * 2, [SIZE // 16] * 2],
        "fpn_hidden_size": WIDTH,
    },
    "prompt_encoder_config": {"hidden_size": WIDTH, "image_size": SIZE, "mask_input_channels": 4},
    "mask_decoder_config": {
        "hidden_size": WIDTH,
        "mlp_dim": 32,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 32,
    },
    "memory_attention_hidden_size": WIDTH,
    "memory_attention_num_layers": 1,
    "memory_attention_feed_forward_hidden_size": 32,
    "memory_attention_rope_feat_sizes": [SIZE // 16] * 2,
    "memory_encoder_hidden_size": WIDTH,
    "mask_downsampler_embed_dim": WIDTH,
    "memory_fuser_num_layers": 1,
    "memory_fuser_embed_dim": WIDTH,
    "memory_fuser_intermediate_dim": 32,
}


# Wide enough for masks that differ from frame to frame and with what was painted.
DEVIATION = 0.1


def write_random_sam2(folder: Path | str, seed: int = 0) -> None:
    """Write config.json and model.safetensors into `folder`; the same seed gives the same weights.

    The masks of seed 0 are never empty and never everything. Raises FileExistsError where there is such a model.
    """
    folder = Path(folder)
    weights = folder / "model.safetensors"
    if weights.exists():
        raise FileExistsError(f"{weights} is there already; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Sam2VideoModel(Sam2VideoConfig(**CONFIG))
        with torch.no_grad():
            _draw(model)
    model.config.architectures = ["Sam2VideoModel"]
    model.config.save_pretrained(folder)
    save_file(model.state_dict(), weights, metadata={"format": "pt"})


def _draw(model: Sam2VideoModel) -> None:
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1 or "embed" in name or "pointer" in name:
            parameter.normal_(0, DEVIATION)
    # The object is always seen: where it isn't, SAM 2 returns no mask.
    model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(30.0)
