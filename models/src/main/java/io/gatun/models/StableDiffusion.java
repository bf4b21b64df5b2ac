package io.gatun.models;

import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Interruption;
import io.gatun.models.clip.TextualInversion;
import io.gatun.models.diffusion.ImageParameters;
import io.gatun.models.diffusion.NormalGenerator;
import io.gatun.models.diffusion.PipelineFiles;
import io.gatun.models.diffusion.Scheduler;
import io.gatun.models.diffusion.SchedulerConfig;
import io.gatun.models.diffusion.Schedulers;
import io.gatun.models.diffusion.VaeFile;
import io.gatun.models.diffusion.lora.AppliedLora;
import io.gatun.models.diffusion.lora.LoraSet;
import io.gatun.models.image.Image;
import io.gatun.models.nn.Weights;
import io.gatun.models.pipeline.Condition;
import io.gatun.models.pipeline.ControlNetFile;
import io.gatun.models.pipeline.LatentSize;
import io.gatun.models.pipeline.PictureUse;
import io.gatun.models.pipeline.Pipeline;
import io.gatun.models.pipeline.PipelineParts;
import io.gatun.models.pipeline.Pipelines;
import io.gatun.models.pipeline.TextConditions;
import io.gatun.models.unet.ControlNetModel;
import io.gatun.models.vae.AutoencoderKL;
import io.gatun.models.vae.AutoencoderKLConfig;
import io.gatun.models.vae.AutoencoderTiny;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;

/// A text-to-image pipeline ready to use: Stable Diffusion 1, 2, XL, 3 and 3.5, PixArt-alpha and
/// -Sigma, FLUX.1, FLUX.2 klein, Z-Image.
///
/// ```java
/// try (var sd = StableDiffusion.load(Path.of("stable-diffusion-v1-5"))) {
///   sd.imagine("a red circle", o -> o.steps(20).seed(7)).show();
/// }
/// ```
///
/// Any thread may use it: calls from several threads take turns, one call at a time. An interrupt
/// ends a call within a layer, with a [java.util.concurrent.CancellationException]; the thread
/// stays interrupted. [#ops] are for one thread at a time, and refuse a second one.
public final class StableDiffusion implements AutoCloseable {
  /// Bytes for the UNet's weights in another form: with what SDXL's activations need at 1024 x 1024
  /// less than 3 GB.
  public static final long PACKING_BUDGET = 15L << 27;

  /// SDXL's activations take about half a gigabyte for a million.
  private static final long MOST_PIXELS = 1L << 24;

  private static final long MOST_PIXELS_OF_BATCH = 4 * MOST_PIXELS;

  private final PipelineFiles files;
  private final StableDiffusionOptions options;
  private final Ops ops;
  private final Functional f;
  private final Functional once;
  private final LoraSet loras;
  private final VaeFile vaeFile;
  private final SchedulerConfig schedulerConfig;
  private final Pipeline pipeline;
  private final LatentImages images;
  private final List<ControlNetFile> controlNets = new ArrayList<>();
  private final PromptCache prompts = new PromptCache();
  private Weights networkWeights;
  private List<SourceFile> loadedFiles;

  private StableDiffusion(PipelineFiles files, StableDiffusionOptions options, Ops ops) {
    this.files = files;
    this.options = options;
    this.ops = ops;
    f = new Functional(ops, options.dtype());
    loras = LoraSet.open(options.loras);
    VaeFile otherVae = null;
    try {
      otherVae = options.vae == null ? null : VaeFile.open(options.vae, options.loadMode);
      vaeFile = otherVae;
      schedulerConfig = new SchedulerConfig(files.config("scheduler"));
      // A prompt is read once: to pack what reads it would take longer and much memory.
      once = new Functional(ops, options.dtype());
      once.packingBudget(0);
      f.packingBudget(PACKING_BUDGET);
      images = images();
      openControlNets();
      pipeline =
          Pipelines.of(
              new PipelineParts(
                  files,
                  this::weights,
                  f,
                  once,
                  images.channels(),
                  controlNets(),
                  taught(),
                  options.notices));
      networkWeights.requireQuantized();
      files.requireAllUsed(vaeFile != null && !vaeFile.isTiny());
      if (vaeFile != null) {
        vaeFile.requireAllUsed();
      }
      loras.checkFits(options.notices);
    } catch (RuntimeException | Error e) {
      controlNets.forEach(ControlNetFile::close);
      loras.close();
      if (otherVae != null) {
        otherVae.close();
      }
      throw e;
    }
  }

  private List<TextualInversion> taught() {
    if (!options.embeddings.isEmpty() && !files.has("unet")) {
      throw new CheckpointException(
          "%s: words are taught to the text encoders of Stable Diffusion 1, 2 and XL; leave out --embedding"
              .formatted(files.path()));
    }
    return options.embeddings.stream().map(TextualInversion::read).toList();
  }

  /// The ControlNet that comes with the pipeline, and others.
  private void openControlNets() {
    if (!options.controlNets.isEmpty() && !files.has("unet")) {
      throw new CheckpointException(
          "%s: ControlNets steer UNets, not transformers such as this one; leave out --controlnet"
              .formatted(files.path()));
    }
    var paths = new ArrayList<>(options.controlNets);
    if (files.has("controlnet")) {
      paths.addFirst(files.folder("controlnet"));
    }
    paths.forEach(
        path -> controlNets.add(ControlNetFile.open(path, options.loadMode, files.config("unet"))));
  }

  /// The autoencoders: the pipeline's or another of its architecture, and a tiny one if there is.
  private LatentImages images() {
    boolean tiny = vaeFile != null && vaeFile.isTiny();
    boolean own = vaeFile == null || tiny;
    var keys = files.config("vae");
    var config = AutoencoderKLConfig.of(own ? keys : vaeFile.config(keys));
    var weights = own ? files.weights("vae") : vaeFile.weights(config.blockOutChannels().size());
    var vae = new AutoencoderKL(config, weights);
    return new LatentImages(vae, tiny ? tiny(config) : vae, ops, options.dtype());
  }

  private AutoencoderTiny tiny(AutoencoderKLConfig config) {
    var decoder = vaeFile.tinyDecoder();
    long channels = AutoencoderTiny.latentChannels(decoder);
    if (channels != config.latentChannels()
        || config.factor() != AutoencoderTiny.FACTOR
        || config.batchNormEps() > 0) {
      throw new CheckpointException(
          "%s decodes latents of %d channels to %d times their size; the model's have %d channels and %d times. Choose the tiny autoencoder of the model's kind: taesd for Stable Diffusion 1 and 2, taesdxl for XL"
              .formatted(
                  options.vae,
                  channels,
                  AutoencoderTiny.FACTOR,
                  config.latentChannels(),
                  config.factor()));
    }
    return new AutoencoderTiny(null, decoder);
  }

  /// A part's weights, with what was trained in addition, and those of the network as they are to
  /// be quantized.
  private Weights weights(String part, Functional functional) {
    var merge = loras.merge(part, files.config(part), functional);
    var weights = files.weights(part).merged(merge);
    if (functional != f) {
      return weights;
    }
    networkWeights = weights.quantized(options.quantization);
    return networkWeights;
  }

  /// Loads a pipeline with the default options.
  ///
  /// @throws CheckpointException if there is no such pipeline, or Gatun cannot run it
  public static StableDiffusion load(String pathOrName) {
    return load(pathOrName, o -> {});
  }

  /// Loads a model; one of the hub's is fetched if it is not there.
  ///
  /// @param pathOrName what [NamedModels] knows: a path, `tiny-...`, `ORG/MODEL:QUANT`
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static StableDiffusion load(String pathOrName, Consumer<StableDiffusionOptions> choose) {
    return load(NamedModels.find(pathOrName), choose);
  }

  /// Loads a pipeline with the default options.
  ///
  /// @throws CheckpointException if there is no such pipeline, or Gatun cannot run it
  public static StableDiffusion load(Path path) {
    return load(path, o -> {});
  }

  /// Loads a pipeline from a diffusers directory, a file that holds all its parts, or that of a
  /// diffusion transformer, which wants [StableDiffusionOptions#textEncoder] and
  /// [StableDiffusionOptions#vae].
  ///
  /// @param pathOrName where it lies, or one of [Pretrained#NAMES]
  /// @throws CheckpointException if there is no such pipeline, or Gatun cannot run it
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public static StableDiffusion load(Path pathOrName, Consumer<StableDiffusionOptions> choose) {
    try {
      return open(pathOrName, choose);
    } catch (RuntimeException e) {
      throw Interruption.or(e);
    }
  }

  private static StableDiffusion open(Path pathOrName, Consumer<StableDiffusionOptions> choose) {
    var options = new StableDiffusionOptions();
    Objects.requireNonNull(choose, "what chooses the options is null").accept(options);
    Path path = NamedModels.find(pathOrName);
    options.findFiles();
    Fit.of(path, PACKING_BUDGET).require(null, options.force);
    var files = PipelineFiles.open(path, options.loadMode, options.given());
    Ops ops = null;
    try {
      ops = new Ops(options.backend, options.threads);
      return new StableDiffusion(files, options, ops);
    } catch (RuntimeException | Error e) {
      if (ops != null) {
        ops.close();
      }
      files.close();
      throw e;
    }
  }

  public Ops ops() {
    return ops;
  }

  /// What became of the low-rank adaptations that the pipeline was loaded with.
  public List<AppliedLora> loras() {
    return loras.applied();
  }

  /// Whether the network sees pictures, [ImagineOptions#reference], to change them or to work from.
  public boolean seesPictures() {
    return pipeline.pictureUse() == PictureUse.EDIT
        || pipeline.pictureUse() == PictureUse.REFERENCES;
  }

  /// The side in pixels of the images that the model was trained on.
  public int defaultSize() {
    return pipeline.sampleSize() * images.factor();
  }

  /// Makes an image with the default options.
  public Imagined imagine(String prompt) {
    return imagine(prompt, o -> {});
  }

  /// Makes images of a prompt: all of a batch go through the network together, and then through the
  /// autoencoder one by one.
  ///
  /// Neither keeps memory for the other's time but the mapped weights: what the network had brought
  /// into another form is made again for the next call, which takes a part of its first step's
  /// time, unless [StableDiffusionOptions#keepWeights]. What the text encoders made of the latest
  /// prompts is kept.
  ///
  /// @throws IllegalArgumentException if the options do not fit together or the model
  /// @throws java.util.concurrent.CancellationException if a step was told to cancel, or the thread
  ///   is interrupted
  /// @throws IllegalStateException if the model is closed, before or meanwhile
  public Imagined imagine(String prompt, Consumer<ImagineOptions> choose) {
    var o = new ImagineOptions();
    Objects.requireNonNull(choose, "what chooses the options is null").accept(o);
    Objects.requireNonNull(prompt, "the prompt is null");
    try (var _ = ops.owner().turn()) {
      return o.hires > 1 ? hires(prompt, o) : imagine(prompt, o);
    }
  }

  /// Makes images and then each of them anew, from itself in a larger size.
  private Imagined hires(String prompt, ImagineOptions o) {
    if (o.initImage != null || !o.references.isEmpty()) {
      throw new IllegalArgumentException(
          "a larger image is made of one that was made of the prompt alone; leave out the picture,"
              + " or make the larger one of it with a strength");
    }
    int batch = o.batch;
    long seed = o.seed;
    var first = imagine(prompt, o);
    int factor = images.factor() * pipeline.multiple();
    var made = new ArrayList<Imagined>();
    o.noise();
    for (int b = 0; b < batch; b++) {
      var image = first.images().get(b);
      o.size(
          nearest((int) Math.round(image.width() * o.hires), factor),
          nearest((int) Math.round(image.height() * o.hires), factor));
      o.initImage(image).strength(o.hiresStrength).batch(1).seed(seed + b);
      made.add(imagine(prompt, o));
    }
    return first.enlarged(made);
  }

  private Imagined imagine(String prompt, ImagineOptions o) {
    o.complete(pipeline.defaults(), pipeline.pictureUse());
    var pictures = new GivenPictures(o, pipeline.pictureUse(), controlNets(), images);
    var size = size(o, pictures);
    var scheduler =
        Schedulers.of(schedulerConfig, o.scheduler, o.spacing, files.has("text_encoder_2"));
    var times = pipeline.flowTimes(size, o.steps);
    if ((times != null) != scheduler.isFlow()) {
      throw new CheckpointException(
          "%s: \"_class_name\" is \"%s\", which is for networks that predict %s; this model's does not"
              .formatted(
                  files.config("scheduler").where(),
                  schedulerConfig.className(),
                  scheduler.isFlow() ? "the velocity of a flow" : "noise"));
    }
    scheduler.flow(times);
    scheduler.setTimesteps(o.steps, begin(o, pictures));
    var denoising = new Denoising(pipeline, f, scheduler, size, o, images);
    var generators = generators(o);

    long began = System.nanoTime();
    var conditions = conditions(prompt, o);
    double textSeconds = (System.nanoTime() - began) / 1e9;

    float[] image =
        pictures.startsFromImage() ? encoded(pictures, size, denoising, generators) : null;
    var seen = pictures.seen(size, pipeline.multiple());
    release();
    float[] noise = denoising.firstNoise(generators);
    var stepSeconds = new double[scheduler.timesteps().length];
    float[] latents =
        denoising.run(
            start(image, noise, scheduler, pictures),
            conditions,
            seen,
            pictures.kept(image, noise, size),
            generators,
            stepSeconds);
    release();
    files.checkNumbers("the network's latents", latents);

    began = System.nanoTime();
    var out = new ArrayList<Image>();
    for (int b = 0; b < size.batch(); b++) {
      var one = Arrays.copyOfRange(latents, b * size.image(), (b + 1) * size.image());
      out.add(images.decode(one, size.height(), size.width(), o.vaeTile));
    }
    double decodeSeconds = (System.nanoTime() - began) / 1e9;
    release();
    return new Imagined(
        out, parameters(prompt, o, size, scheduler), stepSeconds, textSeconds, decodeSeconds);
  }

  /// Gives back the memory that a part of the work took and the next has no use for.
  private void release() {
    if (!options.keepWeights) {
      f.releaseWeights();
      images.releaseWeights();
    }
    ops.workspace().trim();
  }

  private List<ControlNetModel> controlNets() {
    return controlNets.stream().map(ControlNetFile::model).toList();
  }

  private LatentSize size(ImagineOptions o, GivenPictures pictures) {
    int factor = images.factor() * pipeline.multiple();
    int[] own = pictures.size(factor);
    int width = o.width != 0 ? o.width : own == null ? defaultSize() : own[0];
    int height = o.height != 0 ? o.height : own == null ? defaultSize() : own[1];
    if (width % factor != 0 || height % factor != 0) {
      throw new IllegalArgumentException(
          "a size of %d x %d; width and height must be multiples of %d, the nearest are %d x %d"
              .formatted(width, height, factor, nearest(width, factor), nearest(height, factor)));
    }
    long pixels = (long) width * height;
    if (pixels > MOST_PIXELS || pixels * o.batch > MOST_PIXELS_OF_BATCH) {
      throw new IllegalArgumentException(
          "a size of %d x %d for %d images; need at most %d pixels in an image, such as 4096 x 4096, and %d in all"
              .formatted(width, height, o.batch, MOST_PIXELS, MOST_PIXELS_OF_BATCH));
    }
    int pixel = images.factor();
    return new LatentSize(o.batch, height / pixel, width / pixel, images.channels(), pixel);
  }

  private static int nearest(int size, int factor) {
    return Math.max(1, (size + factor / 2) / factor) * factor;
  }

  /// The step that a run begins at: later ones where an image is to show through.
  private static int begin(ImagineOptions o, GivenPictures pictures) {
    double strength = pictures.strength();
    int taken = Math.min((int) (o.steps * strength), o.steps);
    if (taken == 0) {
      throw new IllegalArgumentException(
          "strength %s of %d steps leaves none to take; need a strength of at least %s"
              .formatted(strength, o.steps, 1.0 / o.steps));
    }
    return o.steps - taken;
  }

  private static List<NormalGenerator> generators(ImagineOptions o) {
    var generators = new ArrayList<NormalGenerator>();
    for (int b = 0; b < o.batch; b++) {
      generators.add(o.rng.seeded(o.seed + b));
    }
    return generators;
  }

  /// The negative prompt's condition, if it guides, and the prompt's.
  private List<Condition> conditions(String prompt, ImagineOptions o) {
    var how = new TextConditions.Reading(o.weighted, o.clipSkip, o.textTokens);
    if (!pipeline.takesNegative() && o.negative != null && !o.negative.isBlank()) {
      throw new IllegalArgumentException(
          "this model was distilled to guide without a negative prompt, and reads none; leave it"
              + " out");
    }
    if (!pipeline.guides(o.guidance)) {
      return prompts.encode(once, pipeline.text(), List.of(prompt), how);
    }
    String negative = o.negative == null ? "" : o.negative;
    var both = prompts.encode(once, pipeline.text(), List.of(negative, prompt), how);
    boolean zeros = o.negative == null && pipeline.zerosForNoNegative();
    return zeros ? List.of(both.getFirst().zeros(), both.getLast()) : both;
  }

  /// The initial image's latents, drawn anew for each image of the batch.
  private float[] encoded(
      GivenPictures pictures,
      LatentSize size,
      Denoising denoising,
      List<NormalGenerator> generators) {
    var image = pictures.start(size);
    float[] noise = denoising.noise(generators);
    float[] out = new float[size.all()];
    for (int b = 0; b < size.batch(); b++) {
      int from = b * size.image();
      var own = Arrays.copyOfRange(noise, from, from + size.image());
      System.arraycopy(images.encode(image, own), 0, out, from, size.image());
    }
    return out;
  }

  /// Noise, or the image with noise.
  private static float[] start(
      float[] image, float[] noise, Scheduler scheduler, GivenPictures pictures) {
    if (image != null && !(pictures.options().mask != null && pictures.strength() == 1)) {
      return scheduler.addNoise(image, noise);
    }
    var out = new float[noise.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) (noise[i] * scheduler.initNoiseSigma());
    }
    return out;
  }

  private List<ImageParameters> parameters(
      String prompt, ImagineOptions o, LatentSize size, Scheduler scheduler) {
    var all = new ArrayList<ImageParameters>();
    var sources = new ArrayList<>(loadedFiles());
    if (o.initImage != null) {
      sources.add(SourceFile.of(SourceFile.Kind.INIT_IMAGE, o.initImage));
    }
    if (o.mask != null) {
      sources.add(SourceFile.of(SourceFile.Kind.MASK, o.mask));
    }
    o.references.forEach(p -> sources.add(SourceFile.of(SourceFile.Kind.REFERENCE, p)));
    o.controls.forEach(c -> sources.add(SourceFile.of(SourceFile.Kind.CONTROL_IMAGE, c.picture())));
    for (int b = 0; b < o.batch; b++) {
      all.add(ImageSettings.write(prompt, o, b, size, scheduler, options, sources));
    }
    return all;
  }

  /// What was loaded beside the model's own files; their bytes are hashed once.
  private List<SourceFile> loadedFiles() {
    if (loadedFiles == null) {
      loadedFiles = new ArrayList<>();
      loadedFiles.add(SourceFile.named(SourceFile.Kind.MODEL, files.path()));
      if (options.network != null) {
        loadedFiles.add(SourceFile.named(SourceFile.Kind.NETWORK, options.network));
      }
      options.textEncoders.forEach(
          path -> loadedFiles.add(SourceFile.named(SourceFile.Kind.TEXT_ENCODER, path)));
      if (options.vae != null) {
        loadedFiles.add(SourceFile.of(SourceFile.Kind.VAE, options.vae, 1));
      }
      options.embeddings.forEach(
          path -> loadedFiles.add(SourceFile.of(SourceFile.Kind.EMBEDDING, path, 1)));
      options.controlNets.forEach(
          path -> loadedFiles.add(SourceFile.of(SourceFile.Kind.CONTROLNET, path, 1)));
      options.loras.forEach(
          (file, scale) -> loadedFiles.add(SourceFile.of(SourceFile.Kind.LORA, file, scale)));
    }
    return loadedFiles;
  }

  /// `StableDiffusion(tiny-sd: StableDiffusionPipeline, 64 x 64, BF16)`.
  @Override
  public String toString() {
    if (ops.owner().isClosed()) {
      return "StableDiffusion(%s: closed)".formatted(files.path().getFileName());
    }
    return "StableDiffusion(%s: %s, %d x %d, %s)"
        .formatted(
            files.path().getFileName(),
            files.index().text("_class_name", "pipeline"),
            defaultSize(),
            defaultSize(),
            options.dtype().name());
  }

  /// Ends the threads and unmaps the weights.
  ///
  /// A call that is running on another thread ends at its next operation, which is waited for, with
  /// an [IllegalStateException], `the model is closed`; so does every later use. From
  /// [ImagineOptions#onStep], too, it can be closed. A second call does nothing.
  @Override
  public void close() {
    ops.close();
    controlNets.forEach(ControlNetFile::close);
    loras.close();
    if (vaeFile != null) {
      vaeFile.close();
    }
    files.close();
  }
}
