/// The networks of Segment Anything behind the image encoder: what encodes prompts, and the decoder
/// of masks. The encoders are in `encoder`.
///
/// Source: `segment_anything/modeling`, `sam2/modeling/sam`, whose names this package has, and
/// `efficient_sam`.
///
/// Shape legend: B prompts, T tokens, G rows and columns of the embedding, S = G G image tokens, C
/// channels, M masks.
package io.gatun.models.sam.modeling;
