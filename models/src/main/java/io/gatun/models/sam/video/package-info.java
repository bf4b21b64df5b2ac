/// SAM 2's following of objects through a video: [Sam2] loads a model, a [Tracker] sees the frames
/// one by one.
///
/// Source: Ravi et al., "SAM 2: Segment Anything in Images and Videos", arXiv 2408.00714, and its
/// code, `sam2`, whose names this package has.
///
/// Shape legend: G rows and columns of an embedding, C its channels, M channels of memories.
package io.gatun.models.sam.video;
