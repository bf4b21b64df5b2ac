/// How good a Segment Anything model's masks are, by the experiment of Segment Anything Fast on
/// annotations in COCO's format.
///
/// Source: `experiments/eval_combo.py` of segment-anything-fast; Lin et al., "Microsoft COCO",
/// arXiv 1405.0312.
package io.gatun.models.sam.coco;
