package io.gatun.models.diffusion.files;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.diffusion.schedulers.PredictionType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

/// What the network of a single file predicts, which its tensors do not show: from what the file or
/// its makers' configuration beside it says, or as all published models of its kind have it.
final class SingleFilePrediction {
  /// Of latent-diffusion's configurations: `v2-inference-v.yaml`, which other programs want beside
  /// the checkpoint under its name.
  private static final Pattern YAML_V =
      Pattern.compile("(?m)^\\s*parameterization:\\s*[\"']?v[\"']?\\s*$");

  private static final long MAX_YAML = 1 << 16;

  /// Training steps of the published Stable Diffusion 2 for 512 x 512.
  private static final long BASE_STEPS = 875_000;

  private SingleFilePrediction() {}

  /// @throws CheckpointException if it cannot be known, as for Stable Diffusion 2
  static PredictionType of(Checkpoint checkpoint, KnownPipeline kind) {
    var said = said(checkpoint);
    if (said != null) {
      return said;
    }
    if (kind == KnownPipeline.SD2) {
      throw new CheckpointException(
          "%s: is Stable Diffusion 2, of which there are two kinds with the same tensors: those for images of 768 x 768 predict v, those for 512 x 512 (base, turbo) the noise; the wrong one gives only noise. Say which: --prediction-type v_prediction or epsilon (in Java: o.predictionType(PredictionType.V_PREDICTION))"
              .formatted(checkpoint.path()));
    }
    return PredictionType.EPSILON;
  }

  /// Whether the last of its times is noise alone.
  static boolean hasZeroSnr(Checkpoint checkpoint) {
    return checkpoint.tensors().containsKey("ztsnr");
  }

  /// What the file itself says; null for nothing.
  static PredictionType said(Checkpoint checkpoint) {
    if (checkpoint.tensors().containsKey("v_pred")) {
      return PredictionType.V_PREDICTION;
    }
    // Stability AI's ModelSpec; and the steps that Lightning counts.
    String spec = checkpoint.metadata().getOrDefault("modelspec.prediction_type", "").toString();
    String architecture =
        checkpoint.metadata().getOrDefault("modelspec.architecture", "").toString();
    if (spec.equals("v") || spec.equals("v_prediction") || architecture.contains("768-v")) {
      return PredictionType.V_PREDICTION;
    }
    if (spec.equals("epsilon")
        || architecture.startsWith("stable-diffusion-v2-512")
        || Long.valueOf(BASE_STEPS).equals(checkpoint.metadata().get("global_step"))) {
      return PredictionType.EPSILON;
    }
    return yaml(checkpoint.path());
  }

  private static PredictionType yaml(Path checkpoint) {
    String name = checkpoint.getFileName().toString();
    int dot = name.lastIndexOf('.');
    Path yaml =
        checkpoint.resolveSibling(name.substring(0, dot < 0 ? name.length() : dot) + ".yaml");
    try {
      if (!Files.isRegularFile(yaml) || Files.size(yaml) > MAX_YAML) {
        return null;
      }
      return YAML_V.matcher(Files.readString(yaml)).find()
          ? PredictionType.V_PREDICTION
          : PredictionType.EPSILON;
    } catch (IOException e) {
      throw new CheckpointException(yaml + ": cannot be read: " + e.getMessage(), e);
    }
  }
}
