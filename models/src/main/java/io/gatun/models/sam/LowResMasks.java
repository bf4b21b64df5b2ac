package io.gatun.models.sam;

import io.gatun.tensor.Tensor;

/// What the mask decoder says to a batch of prompts.
///
/// @param logits (B, C, h, w) F32, contiguous: how sure the model is that a pixel belongs to the
///   object, for the padded square input; h = w = 256 in the published models. They are valid until
///   the predictor is asked again.
/// @param iouPredictions (B, C): how good the model thinks that each mask is
public record LowResMasks(Tensor logits, float[] iouPredictions) {}
