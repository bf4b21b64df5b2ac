package io.gatun.models;

import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Interruption;
import io.gatun.models.clip.TextualInversion;
import io.gatun.models.diffusion.NormalGenerator;
import io.gatun.models.diffusion.files.PipelineFiles;
import io.gatun.models.diffusion.files.VaeFile;
import io.gatun.models.diffusion.lora.AppliedLora;
import io.gatun.models.diffusion.lora.LoraSet;
import io.gatun.models.diffusion.schedulers.Scheduler;
import io.gatun.models.diffusion.schedulers.SchedulerConfig;
import io.gatun.models.diffusion.schedulers.Schedulers;
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
  private final ImageFit fit;
  private final ImageSizes sizes;
  private final List<ControlNetFile> controlNets = new ArrayList<>();
  private final PromptCache prompts = new PromptCache();
  private Weights networkWeights;
  private final MadeWith madeWith;

  private StableDiffusion(PipelineFiles files, StableDiffusionOptions options, Ops ops, Fit fit) {
    this.files = files;
    this.options = options;
    this.ops = ops;
    f = new Functional(ops, options.dtype());
    madeWith = new MadeWith(files.path(), options);
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
      images = Autoencoders.open(files, vaeFile, ops, options);
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
      this.fit = new ImageFit(fit, options.keepWeights, f.dtype(), pipeline, images);
      sizes = new ImageSizes(pipeline, images);
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
    var fit = options.fit(path);
    fit.require(null, options.force);
    var files = PipelineFiles.open(path, options.loadMode, options.given());
    Ops ops = null;
    try {
      ops = new Ops(options.backend, options.threads);
      return new StableDiffusion(files, options, ops, fit);
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
    return sizes.usual();
  }

  /// About how many bytes a step towards an image of that size takes, beside the weights.
  ///
  /// @param guidance as [ImagineOptions#guidance]
  public long stepBytes(int width, int height, double guidance) {
    int factor = images.factor();
    var size = new LatentSize(1, height / factor, width / factor, images.channels(), factor);
    return fit.network(size, guidance);
  }

  /// Makes an image with the default options.
  public Imagined imagine(String prompt) {
    return imagine(prompt, o -> {});
  }

  /// Makes images of a prompt: all of a batch go through the network together, and then through the
  /// autoencoder one by one.
  ///
  /// What the networks brought into another form is kept for the next call, whose first step is no
  /// slower than the others, unless [StableDiffusionOptions#keepWeights] says that there is none.
  /// What the text encoders made of the latest prompts is kept; their weights are let go before the
  /// network's first step.
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
      return o.hires > 1 ? hires(prompt, o) : imagine(prompt, o, options.keepWeights);
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
    var first = imagine(prompt, o, true);
    var made = new ArrayList<Imagined>();
    o.noise();
    for (int b = 0; b < batch; b++) {
      var image = first.images().get(b);
      o.size(
          sizes.nearest((int) Math.round(image.width() * o.hires)),
          sizes.nearest((int) Math.round(image.height() * o.hires)));
      o.initImage(image).strength(o.hiresStrength).batch(1).seed(seed + b);
      made.add(imagine(prompt, o, options.keepWeights || b + 1 < batch));
    }
    return first.enlarged(made);
  }

  /// @param keep whether weights in another form are kept
  private Imagined imagine(String prompt, ImagineOptions o, boolean keep) {
    o.complete(pipeline.defaults(), pipeline.pictureUse());
    var pictures = new GivenPictures(o, pipeline.pictureUse(), controlNets(), images);
    var size = sizes.of(o, pictures);
    if (!options.force) {
      fit.require(o, o.hires > 1 && o.initImage == null ? size.times(o.hires) : size);
    }
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
    files.unload(); // the text encoders, which are often larger than the network
    double textSeconds = (System.nanoTime() - began) / 1e9;

    float[] image =
        pictures.startsFromImage() ? encoded(pictures, size, denoising, generators) : null;
    var seen = pictures.seen(size, pipeline.multiple());
    release(keep, images::releaseWeights);
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
    release(keep, f::releaseWeights);
    files.checkNumbers("the network's latents", latents);

    began = System.nanoTime();
    var out = new ArrayList<Image>();
    for (int b = 0; b < size.batch(); b++) {
      var one = Arrays.copyOfRange(latents, b * size.image(), (b + 1) * size.image());
      out.add(images.decode(one, size.height(), size.width(), o.vaeTile));
    }
    double decodeSeconds = (System.nanoTime() - began) / 1e9;
    release(keep, images::releaseWeights);
    return new Imagined(
        out,
        madeWith.parameters(prompt, o, size, scheduler),
        stepSeconds,
        textSeconds,
        decodeSeconds);
  }

  /// Gives back the memory that a part of the work took and the next has no use for.
  ///
  /// @param weights gives back what the part has in another form
  private void release(boolean keep, Runnable weights) {
    if (!keep) {
      weights.run();
    }
    ops.workspace().trim();
  }

  private List<ControlNetModel> controlNets() {
    return controlNets.stream().map(ControlNetFile::model).toList();
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
