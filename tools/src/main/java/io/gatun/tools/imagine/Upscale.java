package io.gatun.tools.imagine;

import io.gatun.models.Upscaler;
import io.gatun.models.image.Image;
import io.gatun.tensor.ops.Backend;
import io.gatun.tools.console.OutputFiles;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.options.NetworkOptions;
import io.gatun.tools.options.ThreadsOption;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun upscale`: enlarges an image.
@Command(
    name = "upscale",
    description = "Enlarge an image with ESRGAN or Real-ESRGAN.",
    sortOptions = false)
public final class Upscale implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "IMAGE", description = "The image to enlarge, of any format.")
  private Path image;

  @Option(
      names = {"-m", "--model"},
      required = true,
      paramLabel = "FILE",
      description =
          "A .pth or .safetensors file, such as RealESRGAN_x4plus.pth, or a name on the Hugging"
              + " Face hub (ORG/MODEL:FILE).")
  private Path model;

  @Option(
      names = {"-o", "--out"},
      required = true,
      paramLabel = "FILE",
      description = "The .png or .jpg file to write.")
  private Path out;

  @Option(
      names = "--tile",
      paramLabel = "PIXELS",
      defaultValue = "192",
      description =
          "Work in overlapping squares of so many pixels a side; smaller ones need less memory"
              + " (default: ${DEFAULT-VALUE}).")
  private int tile;

  @Option(names = "--dtype", paramLabel = "bf16|f32", description = NetworkOptions.ABOUT_DTYPE)
  private NetworkOptions.Type dtype;

  @Mixin private ThreadsOption threads;

  @Option(
      names = {"-q", "--quiet"},
      description = "Print no figures.")
  private boolean quiet;

  @Override
  public Integer call() {
    OutputFiles.checkFile(spec.commandLine(), "--out", out, ".png", ".jpg", ".jpeg");
    if (tile < 64) {
      throw new ParameterException(
          spec.commandLine(), "--tile is %d; need at least 64".formatted(tile));
    }
    Image small = Image.read(image);
    long began = System.nanoTime();
    try (var upscaler =
        Upscaler.load(
            ModelNames.find(spec, model),
            Backend.NATIVE,
            threads.count(),
            dtype == null ? null : dtype.dtype())) {
      Image large = upscaler.upscale(small, tile);
      large.write(out);
      spec.commandLine()
          .getOut()
          .println("%s: %d x %d".formatted(out, large.width(), large.height()));
      if (!quiet) {
        String seconds = String.format(Locale.ROOT, "[%.2f s]", (System.nanoTime() - began) / 1e9);
        spec.commandLine().getErr().println(seconds);
      }
      return 0;
    }
  }
}
