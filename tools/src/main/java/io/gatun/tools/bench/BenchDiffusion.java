package io.gatun.tools.bench;

import io.gatun.loaders.LoadMode;
import io.gatun.models.StableDiffusion;
import io.gatun.models.clip.CLIPTextConfig;
import io.gatun.models.clip.CLIPTextModel;
import io.gatun.models.clip.CLIPTextModelWithProjection;
import io.gatun.models.diffusion.files.PipelineFiles;
import io.gatun.models.nn.Quantization;
import io.gatun.models.vae.AutoencoderKL;
import io.gatun.models.vae.AutoencoderKLConfig;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tools.bench.synthetic.DenoisingStep;
import io.gatun.tools.bench.synthetic.SyntheticDiffusion;
import io.gatun.tools.console.Table;
import io.gatun.tools.console.Units;
import io.gatun.tools.machine.Machine;
import io.gatun.tools.machine.Roofs;
import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.options.NetworkOptions;
import io.gatun.tools.options.ThreadsOption;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun bench diffusion`: the speed of a text-to-image model's networks, beside the machine's
/// roofs.
@Command(
    name = "diffusion",
    description =
        "Measure a text-to-image model: a step of its UNet for two images (with and without the"
            + " prompt) or of its transformer for one, decoding, reading the text with CLIP, as"
            + " shares of what this machine can do. With --debug, where the time goes.",
    sortOptions = false)
final class BenchDiffusion implements Runnable {
  /// Larger latents are decoded in tiles of this size.
  private static final int TILE = 64;

  @Spec private CommandSpec spec;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description = "A diffusers directory or single file to measure.")
  private Path model;

  @Option(
      names = "--shape",
      paramLabel = "sd15|sdxl|pixart|sd35-medium|flux2-klein|z-image",
      description =
          "Instead of --model: random weights in this shape (default: sd15), written once to the"
              + " cache folder.")
  private String shape;

  @Option(
      names = "--size",
      paramLabel = "N",
      description =
          "Rows and columns of the image (default: what the model was trained on, which is 512 for"
              + " sd15 and 1024 for the others).")
  private Integer size;

  @Mixin private NetworkOptions network;

  @Option(
      names = "--runs",
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Times that each network is run after a first time (default: 3).")
  private int runs = 3;

  @Mixin private ThreadsOption threads;

  @Mixin private FiguresOptions report;

  private final OperationTimes times = new OperationTimes();
  private final Map<String, Object> figures = new LinkedHashMap<>();
  private DType.Plain dtype;
  private double roof;

  @Override
  public void run() {
    report.print(this::measure, _ -> text());
  }

  private Map<String, Object> measure() {
    Path path = path();
    dtype = network.dtype() == null ? Functional.fastest(Backend.NATIVE) : network.dtype();
    figures.put("model", path.toString());
    figures.put("threads", threads.count());
    figures.put("dtype", dtype.name());
    figures.put("quantize", network.quantize().name());
    var products = Roofs.products(dtype, threads.count());
    roof = products.rate();
    figures.put("gemm", products.library());
    figures.put("gemm_flop_per_second", roof);
    long start = System.nanoTime();
    try (var files = PipelineFiles.open(path, LoadMode.MAP);
        var ops = new Ops(Backend.NATIVE, threads.count())) {
      var f = new Functional(ops, dtype);
      f.packingBudget(StableDiffusion.PACKING_BUDGET);
      f.observer(times);
      String part = DenoisingStep.part(files);
      var step =
          DenoisingStep.of(
              files, files.weights(part).quantized(Quantization.of(network.quantize())));
      var vae =
          new AutoencoderKL(AutoencoderKLConfig.of(files.config("vae")), files.weights("vae"));
      // A text is read once: packing its encoders' weights would cost more than it gains.
      var once = new Functional(ops, dtype);
      once.packingBudget(0);
      once.observer(times);
      Supplier<Tensor> text = readsByClip(files) ? text(files, once) : null;
      figures.put("load_seconds", (System.nanoTime() - start) / 1e9);
      int pixels = size == null ? step.pixels() : size;
      int latents = Math.ceilDiv(pixels, vae.latentFactor());
      figures.put("size", latents * vae.latentFactor());
      if (text != null) {
        measure("text_encode", f, text);
      }
      try (var _ = f.scope()) {
        measure(part + "_step", f, step.step(f, latents, vae.latentChannels()));
      }
      noteMemory(part, ops);
      // As StableDiffusion does, so that the two are not in memory together.
      f.releaseWeights();
      ops.workspace().trim();
      long side = (long) latents * vae.latentFactor() / vae.config().factor();
      int tile = Math.toIntExact(Math.min(side, TILE));
      measure(
          "vae_decode",
          f,
          () ->
              vae.decodeTiled(
                  f, DenoisingStep.random(f, 1, side, side, vae.config().latentChannels()), tile));
      noteMemory("vae", ops);
    }
    return figures;
  }

  private void noteMemory(String after, Ops ops) {
    figures.put("workspace_bytes_after_" + after, ops.workspace().byteSize());
    figures.put("anonymous_bytes_after_" + after, Machine.anonymousMemory());
  }

  private Path path() {
    if (size != null && (size < 64 || size > 4096 || size % 64 != 0)) {
      throw new ParameterException(
          spec.commandLine(),
          "--size is %d; need a multiple of 64 from 64 to 4096".formatted(size));
    }
    if (model != null) {
      if (shape != null) {
        throw new ParameterException(spec.commandLine(), "--model has its own shape");
      }
      return ModelNames.find(spec, model);
    }
    String name = shape == null ? "sd15" : shape;
    if (!SyntheticDiffusion.shapes().contains(name)) {
      throw new ParameterException(
          spec.commandLine(),
          "--shape is %s; need one of %s"
              .formatted(name, String.join(", ", SyntheticDiffusion.shapes())));
    }
    return SyntheticDiffusion.checkpoint(name, DType.Plain.BF16);
  }

  /// Others read by large language models, for which there are benchmarks of their own.
  private static boolean readsByClip(PipelineFiles files) {
    return files.has("unet");
  }

  /// Reads a text with all of the pipeline's encoders.
  private static Supplier<Tensor> text(PipelineFiles files, Functional f) {
    var config = CLIPTextConfig.of(files.config("text_encoder"));
    var encoder = new CLIPTextModel(config, files.weights("text_encoder"));
    int[][] ids = {ids(config)};
    if (!files.has("text_encoder_2")) {
      return () -> encoder.forward(f, ids);
    }
    var config2 = CLIPTextConfig.of(files.config("text_encoder_2"));
    var encoder2 = new CLIPTextModelWithProjection(config2, files.weights("text_encoder_2"));
    int[][] ids2 = {ids(config2)};
    return () -> {
      encoder.hiddenState(f, ids, 1);
      return encoder2.forward(f, ids2, 1).textEmbeds();
    };
  }

  /// As many tokens as the encoder reads, the last of which ends the text.
  private static int[] ids(CLIPTextConfig config) {
    var ids = new int[config.maxPositionEmbeddings()];
    Arrays.setAll(ids, i -> i * 7919 % (config.vocabSize() - 1));
    ids[ids.length - 1] = config.eosTokenId() == 2 ? config.vocabSize() - 1 : config.eosTokenId();
    return ids;
  }

  /// Notes the median seconds of a network, its operations, the share of the roof that they make,
  /// and how many weights it packs again after the first time.
  private void measure(String name, Functional f, Supplier<Tensor> network) {
    var seconds = new double[runs];
    long packed = 0;
    Logger log = LoggerFactory.getLogger(BenchDiffusion.class); // --debug is known by now
    for (int run = -1; run < runs; run++) {
      if (run <= 0) {
        times.clear();
      }
      try (var _ = f.scope()) {
        long start = System.nanoTime();
        var _ = network.get();
        double taken = (System.nanoTime() - start) / 1e9;
        if (run < 0) {
          figures.put(name + "_first_seconds", taken);
          figures.put(name + "_flop", times.flops());
          packed = f.ops().weightsPacked();
          if (log.isDebugEnabled()) {
            log.debug("first {}:\n{}", name, times.table(taken));
          }
        } else {
          seconds[run] = taken;
        }
      }
    }
    if (log.isDebugEnabled()) {
      log.debug("{} times {}:\n{}", runs, name, times.table(Arrays.stream(seconds).sum()));
    }
    figures.put(name + "_weights_packed_again", f.ops().weightsPacked() - packed);
    Arrays.sort(seconds);
    double median = seconds[runs / 2];
    figures.put(name + "_seconds", median);
    figures.put(name + "_share_of_gemm", (Long) figures.get(name + "_flop") / median / roof);
  }

  private String text() {
    var table = new Table("lr");
    table.row("load", "%.3f s".formatted(number("load_seconds")));
    table.row("%s product".formatted(figures.get("gemm")), "%.0f GFLOP/s".formatted(roof / 1e9));
    for (String name : List.of("text_encode", "unet_step", "transformer_step", "vae_decode")) {
      if (!figures.containsKey(name + "_seconds")) {
        continue;
      }
      table.row(
          name.replace('_', ' '),
          "%.3f s (first %.3f), %.2f TFLOP, %.2f of the product"
              .formatted(
                  number(name + "_seconds"),
                  number(name + "_first_seconds"),
                  number(name + "_flop") / 1e12,
                  number(name + "_share_of_gemm")));
    }
    for (String name : List.of("unet", "transformer", "vae")) {
      if (!figures.containsKey("anonymous_bytes_after_" + name)) {
        continue;
      }
      table.row(
          "memory beside the mapped files after the " + name,
          "%s, %s of it workspace"
              .formatted(
                  Units.bytes((Long) figures.get("anonymous_bytes_after_" + name)),
                  Units.bytes((Long) figures.get("workspace_bytes_after_" + name))));
    }
    return "%s, %s x %s, %s threads%n%s"
        .formatted(
            figures.get("model"),
            figures.get("size"),
            figures.get("size"),
            figures.get("threads"),
            table);
  }

  private double number(String key) {
    return ((Number) figures.get(key)).doubleValue();
  }
}
