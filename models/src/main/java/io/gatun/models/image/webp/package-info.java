/// WebP pictures, lossy (VP8) and lossless (VP8L), decoded outside the heap.
///
/// A file's chunks ([WebP]) hold a VP8 key frame ([Vp8Frame]: modes and coefficients from a
/// [BoolDecoder], prediction, residue, loop filter, then colours in [Vp8Colours]), with its
/// transparency beside it, or a VP8L stream ([Vp8l]: prefix codes, back references, then transforms
/// undone).
///
/// Sources: the WebP container specification; RFC 6386 (VP8); the WebP lossless bitstream
/// specification. Where those leave a choice (upsampling of colours) the pixels are libwebp's.
package io.gatun.models.image.webp;
