package io.gatun.models.diffusion.files;

import io.gatun.models.diffusion.schedulers.PredictionType;
import java.nio.file.Path;
import java.util.List;

/// What a user says of a pipeline, or gives in place of its own parts.
///
/// @param prediction what the network predicts; null for what the files say
/// @param network a file of the network's weights, also GGUF; null for the pipeline's own
/// @param textEncoders files or directories of text encoders
public record GivenParts(PredictionType prediction, Path network, List<Path> textEncoders) {
  public static final GivenParts NONE = new GivenParts(null, null, List.of());
}
