/// `gatun segment` and `gatun track`: masks for images and videos.
///
/// [Segment] looks for a [Target], which [PromptOptions], [TextPrompts] or a [SegmentBatch] give,
/// or with [EverythingOptions] for all there is. A [Segmenter] finds it: [ModelSegmenter] here,
/// [RemoteSegmenter] on a server. [SegmentOutputs] and [AnnotationOptions] write files,
/// [SegmentReport] says what was found.
///
/// [Track] does the same through a video, with [TrackPrompts]. [SamModelOptions] are those of every
/// command that runs such a model.
package io.gatun.tools.segment;
