package io.gatun.models.sam.video;

import io.gatun.models.sam.Mask;

/// What a tracker found of an object in a frame.
///
/// @param object its number
/// @param mask in the frame's size; empty where the object is not to be seen
/// @param objectScore above 0 where it is
/// @param lowResLogits what the mask was made from, (h, w) row by row
public record TrackedObject(int object, Mask mask, float objectScore, float[] lowResLogits) {}
