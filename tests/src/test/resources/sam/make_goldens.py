"""Makes the files of this folder with segment_anything (dca509f), PyTorch 2.13.0, OpenCV 4.14.0 and
pycocotools 2.0.11:

amg.png, amg.json        what SamAutomaticMaskGenerator makes of a model of few lines (Stub below)
everything.json          what it makes of tiny-sam, for the scenes beside that model
masks.json               small regions and run lengths of random masks

usage: make_goldens.py TINY_SAM_DIRECTORY
"""
import json
import sys
from functools import partial

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from segment_anything.utils.amg import mask_to_rle_pytorch, remove_small_regions

torch.set_num_threads(1)
torch.manual_seed(0)


class Stub:
    """Masks of the pixels that are about as light as the one at the point: exact in any language."""

    IMG, LOW = 256, 64
    device = "cpu"
    mask_threshold = 0.0
    image_encoder = type("E", (), {"img_size": IMG})
    postprocess_masks = Sam.postprocess_masks


class StubPredictor(SamPredictor):
    def set_image(self, image):
        h, w = self.original_size = image.shape[:2]
        self.input_size = self.transform.get_preprocess_shape(h, w, Stub.IMG)
        self.image = image[..., 0].astype(np.int32)
        self.is_image_set = True

    def predict_torch(self, coords, labels, multimask_output, return_logits):
        h, w = self.original_size
        cells = np.arange(Stub.LOW) * max(h, w) // Stub.LOW
        inside = (cells < h)[:, None] & (cells < w)[None, :]
        light = self.image[np.minimum(cells, h - 1)][:, np.minimum(cells, w - 1)]
        logits, ious = [], []
        newh, neww = self.input_size
        for x, y in coords[:, 0].numpy():
            value = self.image[int(y * (h / newh) + 1e-6), int(x * (w / neww) + 1e-6)]
            difference = np.abs(light - value)
            for c in range(3):
                k = 20 * (c + 1)
                logits.append(np.where(inside, (k - difference).astype(np.float32) / np.float32(8), np.float32(-8)))
                n = int(((difference < k) & inside).sum()) % 97
                ious.append(np.float32(0.85) + np.float32(n) / np.float32(500))
        low = torch.tensor(np.array(logits)).reshape(-1, 3, Stub.LOW, Stub.LOW)
        masks = self.model.postprocess_masks(low, self.input_size, self.original_size)
        return masks, torch.tensor(np.array(ious)).reshape(-1, 3), low

    def reset_image(self):
        self.is_image_set = False


def scene(rng):
    y, x = np.mgrid[0:110, 0:150]
    light = (x // 3 + 20).astype(np.uint8)
    light[(x - 40) ** 2 + (y - 40) ** 2 < 600] = 200
    light[(x - 42) ** 2 + (y - 38) ** 2 < 40] = 120
    light[60:95, 70:130] = 140
    light[70:80, 90:100] = 60
    light[5:30, 100:140] = 240
    for _ in range(40):
        cx, cy = rng.integers(2, 148), rng.integers(2, 108)
        light[cy : cy + 3, cx : cx + 3] = rng.integers(0, 256)
    return np.repeat(light[..., None], 3, -1)


def tiny_sam(path):
    from safetensors.torch import load_file

    c = json.load(open(path + "/config.json"))
    sam = build(c)
    state = {k: v.float() for k, v in load_file(path + "/model.safetensors").items()}
    sam.load_state_dict(state, strict=True)
    return sam.eval()


def build(c):
    e, p, d = c["image_encoder"], c["prompt_encoder"], c["mask_decoder"]
    t = d["transformer"]
    return Sam(
        ImageEncoderViT(
            img_size=e["img_size"], patch_size=e["patch_size"], embed_dim=e["embed_dim"], depth=e["depth"],
            num_heads=e["num_heads"], mlp_ratio=e["mlp_ratio"], out_chans=e["out_chans"],
            qkv_bias=e["qkv_bias"], norm_layer=partial(torch.nn.LayerNorm, eps=e["layer_norm_eps"]),
            use_rel_pos=e["use_rel_pos"], window_size=e["window_size"],
            global_attn_indexes=e["global_attn_indexes"]),
        PromptEncoder(
            embed_dim=p["embed_dim"], image_embedding_size=p["image_embedding_size"],
            input_image_size=p["input_image_size"], mask_in_chans=p["mask_in_chans"]),
        MaskDecoder(
            transformer_dim=d["transformer_dim"], num_multimask_outputs=d["num_multimask_outputs"],
            iou_head_depth=d["iou_head_depth"], iou_head_hidden_dim=d["iou_head_hidden_dim"],
            transformer=TwoWayTransformer(
                depth=t["depth"], embedding_dim=t["embedding_dim"], num_heads=t["num_heads"],
                mlp_dim=t["mlp_dim"])),
    )


image = scene(np.random.default_rng(3))
Image.fromarray(image[..., 0]).save("amg.png")
cases = {
    "default": dict(points_per_side=8),
    "batches": dict(points_per_side=8, points_per_batch=7),
    "loose": dict(points_per_side=6, pred_iou_thresh=0, stability_score_thresh=0, box_nms_thresh=0.95),
    "strict": dict(points_per_side=10, pred_iou_thresh=0.95, stability_score_thresh=0.8, stability_score_offset=0.5),
    "crops": dict(points_per_side=8, crop_n_layers=1, stability_score_thresh=0.7),
    "deep": dict(points_per_side=8, crop_n_layers=2, crop_n_points_downscale_factor=2, crop_overlap_ratio=0.2,
                 crop_nms_thresh=0.5, stability_score_thresh=0.7),
    "regions": dict(points_per_side=8, min_mask_region_area=60, stability_score_thresh=0.6),
    "grids": dict(points_per_side=None, point_grids=[np.array([[0.26, 0.36], [0.7, 0.7], [0.8, 0.15]])],
                  stability_score_thresh=0.6),
}
result = {}
for name, parameters in cases.items():
    generator = SamAutomaticMaskGenerator(Stub(), output_mode="coco_rle", **parameters)
    generator.predictor = StubPredictor(Stub())
    result[name] = generator.generate(image)
    print(name, len(result[name]))
json.dump(result, open("amg.json", "w"), indent=0)

sam = tiny_sam(sys.argv[1])
result = {}
for scene_name, parameters in {
    "scene0": dict(points_per_side=16, pred_iou_thresh=0.7, stability_score_thresh=0.75),
    "scene1": dict(points_per_side=12, pred_iou_thresh=0.6, stability_score_thresh=0.7, min_mask_region_area=50),
    "scene2": dict(points_per_side=8, pred_iou_thresh=0.8, stability_score_thresh=0.85, crop_n_layers=1),
}.items():
    generator = SamAutomaticMaskGenerator(sam, output_mode="coco_rle", **parameters)
    image = np.array(Image.open(f"{sys.argv[1]}/{scene_name}.png").convert("RGB"))
    result[scene_name] = generator.generate(image)
    print(scene_name, len(result[scene_name]))
json.dump(result, open("everything.json", "w"), indent=0)

rng = np.random.default_rng(11)
masks = []
for w, h in ((1, 1), (1, 9), (9, 1), (7, 5), (63, 3), (64, 64), (65, 66), (130, 70)):
    for kind in ("empty", "full", "noise", "blobs"):
        noise = rng.random((h, w))
        mask = {"empty": noise < 0, "full": noise < 2, "noise": noise < 0.45}.get(kind)
        if mask is None:
            coarse = rng.random((h // 5 + 1, w // 5 + 1)) < 0.55
            mask = np.kron(coarse, np.ones((5, 5), bool))[:h, :w] ^ (noise < 0.02)
        rle = mask_to_rle_pytorch(torch.tensor(mask)[None])[0]
        compressed = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        mended = {}
        for area in (3, 30, 2000):
            for mode in ("holes", "islands"):
                clean, changed = remove_small_regions(mask, area, mode)
                counts = coco.encode(np.asfortranarray(clean.astype(np.uint8)))["counts"].decode()
                mended[f"{mode}-{area}"] = counts if changed else None
        masks.append(dict(width=w, height=h, counts=rle["counts"], compressed=compressed, mended=mended))
json.dump(masks, open("masks.json", "w"))
