/// Segment Anything: masks for an image, from points, boxes, or everything at once.
///
/// Source: Kirillov et al., "Segment Anything", arXiv 2304.02643, and its code, `segment_anything`,
/// whose names this package has.
///
/// Shape legend: B prompts, C masks for each (3 or 1), (h, w) the low-resolution masks, (H, W) the
/// image. Boxes are x0, y0, x1, y1 in pixels.
package io.gatun.models.sam;
