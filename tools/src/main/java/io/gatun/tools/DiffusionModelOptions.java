package io.gatun.tools;

import io.gatun.models.ImageSettings;
import io.gatun.models.Pretrained;
import io.gatun.models.StableDiffusion;
import io.gatun.models.diffusion.ImageParameters;
import io.gatun.models.nn.Quantization;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// The options that say how a text-to-image pipeline is loaded.
final class DiffusionModelOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description =
          "A diffusers directory or a .safetensors file of Stable Diffusion 1, 2 or XL. Without it:"
              + " tiny-sd, which comes with Gatun and draws coloured shapes.")
  private Path model;

  @Mixin private NetworkOptions network;

  @Option(
      names = "--quantize-layers",
      paramLabel = "REGEX",
      description =
          "Of those, only layers in whose name this is found, such as \"attn1|ff\" (default: all).")
  private Pattern quantizeLayers;

  @Option(
      names = "--vae",
      paramLabel = "PATH",
      description =
          "Decode with another autoencoder: a diffusers directory or a file. A tiny one (TAESD)"
              + " takes a small part of the time and memory.")
  private Path vae;

  @Option(
      names = "--lora",
      paramLabel = "FILE[:SCALE]",
      description = "Add a low-rank adaptation; may be given several times.")
  private List<String> loras = new ArrayList<>();

  @Mixin private RunOptions run;

  /// Loads the pipeline.
  ///
  /// @param parameters of an image that is to be made again; null for none
  StableDiffusion load(ImageParameters parameters) {
    var err = command.commandLine().getErr();
    Path path = model != null ? model : Pretrained.path("tiny-sd");
    String made = parameters == null ? null : parameters.settings().get("Model");
    if (made != null && !made.equals(path.getFileName().toString())) {
      err.println("gatun: warning: the image was made with the model " + made + ", not " + path);
    }
    return StableDiffusion.load(
        path,
        o -> {
          if (parameters != null && loras.isEmpty()) {
            ImageSettings.read(parameters, o);
          }
          if (vae != null) {
            o.vae(vae);
          }
          loras.forEach(lora -> ImageSettings.lora(lora, o));
          o.backend(run.backend())
              .threads(run.threads())
              .loadMode(run.load())
              .quantization(quantization())
              .notices(line -> err.println("gatun: warning: " + line));
          if (network.dtype() != null) {
            o.dtype(network.dtype());
          }
        });
  }

  private Quantization quantization() {
    var all = Quantization.of(network.quantize());
    if (quantizeLayers == null) {
      return all;
    }
    if (network.quantize() == Quantization.Mode.NONE) {
      throw new ParameterException(
          command.commandLine(),
          "--quantize-layers says which layers --quantize is for; give that");
    }
    return all.only(quantizeLayers);
  }
}
