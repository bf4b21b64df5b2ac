/// The image encoders of Segment Anything: SAM's and EfficientSAM's ViT, SAM 2's Hiera, and
/// MobileSAM's TinyViT.
///
/// Source: `segment_anything/modeling/image_encoder.py`; `sam2/modeling/backbones`;
/// `mobile_sam/modeling/tiny_vit_sam.py`; `efficient_sam/efficient_sam_encoder.py`; names are
/// theirs.
///
/// Shape legend: B images, H and W rows and columns of tokens, G of the embedding, C channels.
package io.gatun.models.sam.modeling.encoder;
