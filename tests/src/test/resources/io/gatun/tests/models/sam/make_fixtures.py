"""Makes the files beside it: small random Segment Anything models in the layouts of both reference
implementations, and what those make of random input.

Needs torch, transformers, safetensors, and github.com/facebookresearch/segment-anything on the
Python path. Usage: python make_fixtures.py
"""

from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from transformers import SamConfig, SamModel

HERE = Path(__file__).parent
WIDTH = 16
GRID = 6
PATCH = 8
SIZE = GRID * PATCH


def randomize(model, seed):
    """Weights of such sizes that no stage hides the one before it."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in list(model.named_parameters()) + list(model.named_buffers()):
        noise = torch.randn(value.shape, generator=generator)
        is_norm = "norm" in name or value.dim() == 1 and name.endswith("weight")
        if is_norm and name.endswith("weight"):
            noise = 1 + 0.3 * noise
        elif value.dim() == 1:
            noise = 0.3 * noise
        elif not ("embed" in name or name.endswith(("_token.weight", "_tokens.weight", "gaussian_matrix"))) or value.dim() == 4:
            noise = noise * 1.2 / value[0].numel() ** 0.5
        with torch.no_grad():
            value.copy_(noise)
    return model.eval()


def segment_anything():
    encoder = ImageEncoderViT(
        depth=3, embed_dim=WIDTH, img_size=SIZE, mlp_ratio=2, num_heads=2, patch_size=PATCH,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), qkv_bias=True, use_rel_pos=True,
        global_attn_indexes=[1], window_size=4, out_chans=WIDTH)
    prompts = PromptEncoder(
        embed_dim=WIDTH, image_embedding_size=(GRID, GRID), input_image_size=(SIZE, SIZE), mask_in_chans=8)
    decoder = MaskDecoder(
        num_multimask_outputs=3, transformer_dim=WIDTH, iou_head_depth=3, iou_head_hidden_dim=12,
        transformer=TwoWayTransformer(depth=2, embedding_dim=WIDTH, mlp_dim=24, num_heads=8))
    return randomize(Sam(encoder, prompts, decoder), 1)


def hugging_face():
    return randomize(SamModel(SamConfig(
        vision_config=dict(
            hidden_size=WIDTH, num_hidden_layers=3, num_attention_heads=2, image_size=SIZE, patch_size=PATCH,
            window_size=4, global_attn_indexes=[1], output_channels=WIDTH, mlp_dim=32, num_pos_feats=WIDTH // 2),
        prompt_encoder_config=dict(hidden_size=WIDTH, image_size=SIZE, patch_size=PATCH, mask_input_channels=8),
        # Not the 8 heads of the published models, which no tensor tells.
        mask_decoder_config=dict(
            hidden_size=WIDTH, num_attention_heads=4, mlp_dim=24, iou_head_hidden_dim=12))), 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1).contiguous()


torch.set_num_threads(1)
random = torch.Generator().manual_seed(3)
image = torch.randn(1, 3, SIZE, SIZE, generator=random)
larger = torch.randn(1, 3, SIZE + 2 * PATCH, SIZE + 2 * PATCH, generator=random)
mask = 4 * torch.randn(3, 1, 4 * GRID, 4 * GRID, generator=random)
points = torch.tensor([[[10.0, 20.0], [40.0, 5.0]], [[24.0, 24.0], [3.0, 44.0]], [[0.0, 1.0], [2.0, 47.0]]])
labels = torch.tensor([[1, 0], [1, 1], [0, 1]])
boxes = torch.tensor([[5.0, 5.0, 30.0, 40.0], [0.0, 0.0, 47.0, 47.0], [20.0, 10.0, 21.0, 11.0]])
out = dict(image=nhwc(image), larger=nhwc(larger), mask=mask, points=points, boxes=boxes)

with torch.no_grad():
    sam = segment_anything()
    torch.save(sam.state_dict(), HERE / "sam.pth")
    embedding = sam.image_encoder(image)
    out["sam.embedding"] = nhwc(embedding)
    forms = {
        "points": ((points, labels), None, None),
        "boxes": (None, boxes, None),
        "mask": (None, None, mask),
        "all": ((points, labels), boxes, mask),
    }
    for form, (p, b, m) in forms.items():
        sparse, dense = sam.prompt_encoder(points=p, boxes=b, masks=m)
        for multimask in (True, False):
            key = f"sam.{form}.{'multi' if multimask else 'single'}"
            out[key], out[key + ".iou"] = sam.mask_decoder(
                embedding, sam.prompt_encoder.get_dense_pe(), sparse, dense, multimask)
    positions = sam.image_encoder.pos_embed
    sam.image_encoder.pos_embed = torch.nn.Parameter(nhwc(F.interpolate(
        positions.permute(0, 3, 1, 2), size=(GRID + 2, GRID + 2), mode="bilinear", align_corners=False)))
    out["sam.larger.embedding"] = nhwc(sam.image_encoder(larger))

    hf = hugging_face()
    hf.save_pretrained(HERE / "hf")
    embedding = hf.get_image_embeddings(image)
    out["hf.embedding"] = nhwc(embedding)
    forms = {"points": dict(input_points=points[None], input_labels=labels[None]), "boxes": dict(input_boxes=boxes[None])}
    for form, prompt in forms.items():
        for multimask in (True, False):
            key = f"hf.{form}.{'multi' if multimask else 'single'}"
            found = hf(image_embeddings=embedding, multimask_output=multimask, **prompt)
            out[key], out[key + ".iou"] = found.pred_masks[0], found.iou_scores[0]

save_file({k: v.contiguous() for k, v in out.items()}, HERE / "goldens.safetensors")
for key, value in out.items():
    print(key, tuple(value.shape), value.abs().max().item())
