package io.gatun.models;

import io.gatun.loaders.LoadMode;
import io.gatun.models.diffusion.files.GivenParts;
import io.gatun.models.diffusion.schedulers.PredictionType;
import io.gatun.models.nn.Quantization;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.runtime.Workers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;

/// How a text-to-image pipeline is loaded: `StableDiffusion.load(path, o -> o.threads(4))`.
public final class StableDiffusionOptions {
  Backend backend = Backend.NATIVE;
  int threads = Workers.defaultThreads();
  boolean force;
  LoadMode loadMode = LoadMode.MAP;
  Quantization quantization = Quantization.NONE;
  Path vae;
  PredictionType prediction;
  Path network;
  boolean keepWeights = true;
  final List<Path> textEncoders = new ArrayList<>();
  final List<Path> embeddings = new ArrayList<>();
  final List<Path> controlNets = new ArrayList<>();
  Map<Path, Double> loras = new LinkedHashMap<>();
  Consumer<String> notices = line -> {};
  private DType.Plain dtype;

  StableDiffusionOptions() {}

  /// Which kernels do the work; by default NATIVE.
  public StableDiffusionOptions backend(Backend value) {
    backend = Objects.requireNonNull(value, "backend is null");
    return this;
  }

  /// The type of activations: F32 or BF16; by default BF16 where products of it are faster than
  /// those of F32, else F32. The autoencoder computes in it, too.
  public StableDiffusionOptions dtype(DType.Plain value) {
    dtype = value;
    return this;
  }

  /// The threads that compute; by default the machine's physical cores.
  public StableDiffusionOptions threads(int value) {
    threads = Workers.checkThreads(value);
    return this;
  }

  /// Where the weights live; by default in the files' mapping.
  public StableDiffusionOptions loadMode(LoadMode value) {
    loadMode = Objects.requireNonNull(value, "loadMode is null");
    return this;
  }

  /// Whether a model runs, too, that does not fit into the free memory, as slowly as the disk is;
  /// by default it is refused, with what would fit.
  public StableDiffusionOptions force(boolean value) {
    force = value;
    return this;
  }

  /// How the UNet's linear layers are quantized; by default they are not.
  public StableDiffusionOptions quantization(Quantization value) {
    quantization = Objects.requireNonNull(value, "quantization is null");
    return this;
  }

  /// Another autoencoder than the pipeline's: a directory or file, or a name on the hub, with an
  /// AutoencoderKL, or with the tiny one (TAESD) for its kind of latents, which decodes in a small
  /// part of the time and memory, nearly as well. A tiny one decodes alone; initial images are
  /// encoded by the pipeline's own.
  public StableDiffusionOptions vae(Path value) {
    vae = value;
    return this;
  }

  /// Another file for the weights of the directory's network, a UNet or a transformer:
  /// `.safetensors` or GGUF, with the names of diffusers or of its makers.
  public StableDiffusionOptions network(Path value) {
    network = value;
    return this;
  }

  /// A text encoder for a network in a file of its own, or in place of a directory's of the same
  /// kind and width: a directory, a `.safetensors` file (CLIP, T5), or a GGUF file (T5, Qwen3). The
  /// tokenizers of T5 and language models are in the GGUF file or beside the weights. May be called
  /// several times.
  public StableDiffusionOptions textEncoder(Path value) {
    textEncoders.add(Objects.requireNonNull(value, "the text encoder's path is null"));
    return this;
  }

  /// What the UNet predicts; by default what the files say. Single files of Stable Diffusion 2
  /// often do not.
  public StableDiffusionOptions predictionType(PredictionType value) {
    prediction = value;
    return this;
  }

  /// Adds a word that the text encoder was taught (textual inversion); prompts name it as its file
  /// does, `<cat>`, or by the file's name without its ending. May be called several times.
  public StableDiffusionOptions embedding(Path file) {
    embeddings.add(Objects.requireNonNull(file, "the embedding's file is null"));
    return this;
  }

  /// Whether the weights that the networks brought into another form, up to
  /// [StableDiffusion#PACKING_BUDGET] and the autoencoder's, are kept between images, as they are
  /// unless this is false: then the network's are given back before an image is decoded, which
  /// takes less memory, and the next image makes them again.
  public StableDiffusionOptions keepWeights(boolean value) {
    keepWeights = value;
    return this;
  }

  /// Adds a ControlNet, a directory as diffusers saves it, a file with the names of diffusers or of
  /// its makers, or a name on the hub, to steer the UNet by a picture that [ImagineOptions#control]
  /// gives for each image; may be called several times.
  public StableDiffusionOptions controlNet(Path value) {
    controlNets.add(Objects.requireNonNull(value, "the ControlNet's path is null"));
    return this;
  }

  /// Adds the low-rank adaptations of a file, or a name on the hub, to the weights; may be given
  /// several times.
  ///
  /// @param scale how strong they are: 1 as they were trained
  public StableDiffusionOptions lora(Path file, double scale) {
    if (!Double.isFinite(scale)) {
      throw new IllegalArgumentException(
          "the scale of %s is %s; need a number".formatted(file, scale));
    }
    loras.put(Objects.requireNonNull(file, "the adaptation's file is null"), scale);
    return this;
  }

  /// Puts paths in the place of names.
  ///
  /// @throws io.gatun.loaders.CheckpointException if there is nothing of one
  void findFiles() {
    vae = vae == null ? null : NamedModels.find(vae);
    network = network == null ? null : NamedModels.find(network);
    textEncoders.replaceAll(NamedModels::find);
    embeddings.replaceAll(NamedModels::find);
    controlNets.replaceAll(NamedModels::find);
    loras = NamedModels.findAll(loras);
  }

  /// Takes the lines that warn the user; by default nobody does.
  public StableDiffusionOptions notices(Consumer<String> value) {
    notices = Objects.requireNonNull(value, "notices is null");
    return this;
  }

  /// The memory that a model takes with the parts that were chosen.
  Fit fit(Path model) {
    var others = new ArrayList<Path>(textEncoders);
    others.addAll(embeddings);
    others.addAll(controlNets);
    others.addAll(loras.keySet());
    var replaced = new HashSet<String>();
    if (vae != null) {
      others.add(vae); // beside a tiny one, the pipeline's own encodes
    }
    if (network != null) {
      others.add(network);
      replaced.addAll(Set.of("unet", "transformer"));
    }
    others.removeIf(path -> !Files.exists(path)); // which is said when it is opened
    return Fit.of(model, replaced, others, StableDiffusion.PACKING_BUDGET);
  }

  GivenParts given() {
    return new GivenParts(prediction, network, List.copyOf(textEncoders));
  }

  DType.Plain dtype() {
    return dtype == null ? Functional.fastest(backend) : dtype;
  }
}
