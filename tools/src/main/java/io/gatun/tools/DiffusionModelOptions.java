package io.gatun.tools;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.OneDnn;
import io.gatun.loaders.LoadMode;
import io.gatun.models.ImageSettings;
import io.gatun.models.Pretrained;
import io.gatun.models.StableDiffusion;
import io.gatun.models.diffusion.ImageParameters;
import io.gatun.models.nn.Quantization;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

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

  @Option(
      names = "--dtype",
      paramLabel = "bf16|f32",
      converter = DtypeConverter.class,
      description = "Type of the activations (default: bf16).")
  private DType.Plain dtype;

  @Option(
      names = "--quantize",
      paramLabel = "none|int8|int8-dynamic",
      converter = QuantizeConverter.class,
      description =
          "Keep the UNet's large linear layers in 8 bits; int8-dynamic rounds their inputs, too,"
              + " which is faster (default: none).")
  private Quantization.Mode quantize = Quantization.Mode.NONE;

  @Option(
      names = "--quantize-layers",
      paramLabel = "REGEX",
      description =
          "Of those, only layers in whose name this is found, such as \"attn1|ff\" (default: all).")
  private Pattern quantizeLayers = Pattern.compile("");

  @Option(
      names = "--vae",
      paramLabel = "PATH",
      description =
          "Decode with another autoencoder: a diffusers directory or a file. A tiny one (TAESD) takes"
              + " a small part of the time and memory.")
  private Path vae;

  @Option(
      names = "--lora",
      paramLabel = "FILE[:SCALE]",
      description = "Add a low-rank adaptation; may be given several times.")
  private List<String> loras = new ArrayList<>();

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads that compute (default: the physical cores).")
  private Integer threads;

  @Option(
      names = "--backend",
      paramLabel = "scalar|vector|native",
      converter = ModelOptions.BackendConverter.class,
      description = "Kernels to use (default: native).")
  private Backend backend = Backend.NATIVE;

  @Option(
      names = "--load",
      paramLabel = "map|copy",
      converter = ModelOptions.LoadConverter.class,
      description =
          "Map the files (the default), or copy them into memory, for files that may be truncated"
              + " while they are in use.")
  private LoadMode load = LoadMode.MAP;

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
    if (dtype == null
        && parameters == null
        && backend == Backend.NATIVE
        && !OneDnn.supports(ElementType.BF16)) {
      err.println(
          "gatun: note: this machine computes slowly in BF16, which the model runs in so that a seed"
              + " gives the same image on every machine; --dtype f32 may be faster");
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
          o.backend(backend)
              .loadMode(load)
              .quantization(Quantization.of(quantize).only(quantizeLayers))
              .notices(line -> err.println("gatun: warning: " + line));
          if (dtype != null) {
            o.dtype(dtype);
          }
          if (threads != null) {
            o.threads(threads);
          }
        });
  }

  static final class DtypeConverter implements ITypeConverter<DType.Plain> {
    @Override
    public DType.Plain convert(String value) {
      return switch (value.toLowerCase(Locale.ROOT)) {
        case "bf16" -> DType.Plain.BF16;
        case "f32" -> DType.Plain.F32;
        default -> throw new TypeConversionException("'" + value + "' is not one of bf16, f32");
      };
    }
  }

  static final class QuantizeConverter implements ITypeConverter<Quantization.Mode> {
    @Override
    public Quantization.Mode convert(String value) {
      return switch (value.toLowerCase(Locale.ROOT)) {
        case "none" -> Quantization.Mode.NONE;
        case "int8" -> Quantization.Mode.INT8_WEIGHTS;
        case "int8-dynamic" -> Quantization.Mode.INT8_DYNAMIC;
        default ->
            throw new TypeConversionException(
                "'" + value + "' is not one of none, int8, int8-dynamic");
      };
    }
  }
}
