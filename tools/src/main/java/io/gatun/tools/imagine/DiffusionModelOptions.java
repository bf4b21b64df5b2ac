package io.gatun.tools.imagine;

import io.gatun.models.ImageSettings;
import io.gatun.models.Pretrained;
import io.gatun.models.StableDiffusion;
import io.gatun.models.StableDiffusionOptions;
import io.gatun.models.diffusion.schedulers.PredictionType;
import io.gatun.models.nn.Quantization;
import io.gatun.tools.options.Choice;
import io.gatun.tools.options.LoraOptions;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.options.NetworkOptions;
import io.gatun.tools.options.RunOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
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
          "A diffusers directory, a .safetensors file of Stable Diffusion 1, 2 or XL, a"
              + " .safetensors or .gguf file of Stable Diffusion 3, FLUX or Z-Image (see"
              + " --text-encoder, --vae), or a name on the Hugging Face hub. Without it: tiny-sd,"
              + " which comes with Gatun and draws coloured shapes.")
  private Path model;

  @Mixin private NetworkOptions network;

  @Option(
      names = "--quantize-layers",
      paramLabel = "REGEX",
      description =
          "Of those, only layers in whose name this is found, such as \"attn1|ff\" (default: all).")
  private Pattern quantizeLayers;

  @Option(
      names = "--prediction-type",
      paramLabel = "epsilon|v_prediction",
      converter = PredictionTypeConverter.class,
      description =
          "What the UNet predicts: the noise (epsilon) or v. Only for files that do not say, as"
              + " single files of Stable Diffusion 2.")
  private PredictionType predictionType;

  @Option(
      names = "--network",
      paramLabel = "FILE",
      description =
          "Another file for the weights of the directory's network, .safetensors or .gguf, with the"
              + " names of diffusers or of its makers.")
  private Path networkFile;

  @Option(
      names = "--text-encoder",
      paramLabel = "PATH",
      description =
          "A text encoder for a transformer in a file of its own, or in place of a directory's: a"
              + " directory, a .safetensors file (CLIP, T5) or a .gguf file (T5, Qwen3); may be"
              + " given several times.")
  private List<Path> textEncoders = new ArrayList<>();

  @Option(
      names = "--vae",
      paramLabel = "PATH",
      description =
          "Decode with another autoencoder: a diffusers directory, a file, or a name on the Hugging"
              + " Face hub. A tiny one (TAESD) takes a small part of the time and memory.")
  private Path vae;

  @Mixin private LoraOptions loras;

  @Option(
      names = "--embedding",
      paramLabel = "FILE",
      description =
          "Add a word that the text encoder was taught (textual inversion): prompts name it as the"
              + " file does, or by the file's name without its ending; may be given several times.")
  private List<Path> embeddings = new ArrayList<>();

  @Option(
      names = "--controlnet",
      paramLabel = "PATH",
      description =
          "Steer Stable Diffusion by a picture, see --control-image: a ControlNet's directory as"
              + " diffusers saves it, its file, or its name on the Hugging Face hub; may be given"
              + " several times.")
  private List<Path> controlNets = new ArrayList<>();

  @Mixin private RunOptions run;

  /// Loads the pipeline.
  ///
  /// @param from an image that is to be made again; null for none
  StableDiffusion load(FromImage from) {
    return load(from, false);
  }

  /// Loads the pipeline.
  ///
  /// @param from an image that is to be made again; null for none
  /// @param keep whether several images are to be made, see [StableDiffusionOptions#keepWeights]
  StableDiffusion load(FromImage from, boolean keep) {
    var err = command.commandLine().getErr();
    Path path = model != null ? ModelNames.find(command, model) : Pretrained.path("tiny-sd");
    Map<Path, Double> adaptations = loras.adaptations();
    if (vae != null) {
      vae = ModelNames.find(command, vae);
    }
    if (networkFile != null) {
      networkFile = ModelNames.find(command, networkFile);
    }
    textEncoders.replaceAll(file -> ModelNames.find(command, file));
    embeddings.replaceAll(file -> ModelNames.find(command, file));
    controlNets.replaceAll(file -> ModelNames.find(command, file));
    if (from != null) {
      from.checkModel(
          path, networkFile, textEncoders, vae, adaptations.keySet(), controlNets, embeddings);
    }
    return StableDiffusion.load(
        path,
        o -> {
          if (from != null) {
            ImageSettings.read(from.parameters(), o);
          }
          o.network(networkFile);
          textEncoders.forEach(o::textEncoder);
          if (vae != null) {
            o.vae(vae);
          }
          if (predictionType != null) {
            o.predictionType(predictionType);
          }
          adaptations.forEach(o::lora);
          controlNets.forEach(o::controlNet);
          embeddings.forEach(o::embedding);
          o.keepWeights(keep);
          o.backend(run.backend())
              .threads(run.threads())
              .loadMode(run.load())
              .force(run.force())
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

  static final class PredictionTypeConverter implements ITypeConverter<PredictionType> {
    @Override
    public PredictionType convert(String value) {
      return Choice.of(PredictionType.class, value);
    }
  }
}
