package io.gatun.models.diffusion.files;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.diffusion.files.TextEncoderFile.Kind;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.NotFinite;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.Weights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// A pipeline around the file of a diffusion transformer: its text encoders and its autoencoder lie
/// in the same file, as Stability AI's with all parts, or are given with it.
///
/// Configurations are as the tensors show, and else as all published models have them; what lies
/// beside the file as config.json counts more.
final class TransformerFiles implements PipelineFiles {
  /// Where files with all parts have their text encoders, and their autoencoders.
  private static final List<String> TEXT_ENCODERS =
      List.of(
          "text_encoders.clip_l.transformer.",
          "text_encoders.clip_g.transformer.",
          "text_encoders.t5xxl.transformer.");

  private static final List<String> VAES = List.of("first_stage_model.", "vae.");

  private final Checkpoint checkpoint;
  private final UsedTensors tensors;
  private final KnownTransformer.Found found;
  private final ObjectNode configs;
  private final Map<String, TextEncoderFile> textEncoders = new LinkedHashMap<>();
  private final List<TextEncoderFile> given = new ArrayList<>();

  /// @param checkpoint which is closed with it
  TransformerFiles(
      Checkpoint checkpoint, KnownTransformer.Found found, GivenParts parts, LoadMode mode) {
    this.checkpoint = checkpoint;
    this.found = found;
    tensors = new UsedTensors(checkpoint);
    boolean base = checkpoint.path().getFileName().toString().contains("base");
    configs = found.kind().configs(Weights.of(tensors, found.names()), base);
    Path beside = checkpoint.path().resolveSibling("config.json");
    if (Files.exists(beside)
        && JsonKeys.read(beside).text("_class_name", "").equals(found.kind().className())) {
      configs.set("transformer", JsonKeys.read(beside).json());
    }
    try {
      parts.textEncoders().forEach(path -> given.add(TextEncoderFile.open(path, mode)));
      addTextEncoders();
    } catch (RuntimeException | Error e) {
      given.forEach(TextEncoderFile::close);
      throw e;
    }
  }

  /// Gives each text encoder its part; of two CLIPs the narrower one comes first.
  private void addTextEncoders() {
    var left = new ArrayList<>(given);
    for (String prefix : TEXT_ENCODERS) {
      var inside = TextEncoderFile.inside(tensors, prefix);
      if (inside != null) {
        left.add(inside);
      }
    }
    left.sort((a, b) -> Integer.compare(a.width(), b.width()));
    var kinds = found.kind().textEncoders();
    for (int i = 0; i < kinds.size(); i++) {
      var kind = kinds.get(i);
      var file = left.stream().filter(f -> f.kind() == kind).findFirst();
      if (file.isPresent()) {
        left.remove(file.get());
        put(i == 0 ? "text_encoder" : "text_encoder_" + (i + 1), file.get());
      } else if (found.kind() != KnownTransformer.SD3 || kind != Kind.T5) {
        throw new CheckpointException(
            "%s is the network of %s, whose text encoders (%s) are not all there: %s is missing. Give each with --text-encoder FILE, or give the file as --network with a diffusers directory as --model"
                .formatted(
                    path(),
                    found.kind().title(),
                    kinds.stream().map(Kind::toString).collect(Collectors.joining(", ")),
                    kind));
      }
    }
    left.removeIf(file -> !given.contains(file));
    if (!left.isEmpty()) {
      throw new CheckpointException(
          "%s is %s; %s has no place for it"
              .formatted(left.getFirst().path(), left.getFirst().kind(), found.kind().title()));
    }
  }

  private void put(String part, TextEncoderFile file) {
    textEncoders.put(part, file);
    configs.set(part, file.config().json());
  }

  @Override
  public Path path() {
    return checkpoint.path();
  }

  @Override
  public JsonKeys index() {
    return config("model_index");
  }

  @Override
  public boolean has(String part) {
    return configs.has(part);
  }

  @Override
  public JsonKeys config(String part) {
    JsonNode config = configs.path(part);
    if (config.isMissingNode()) {
      throw new CheckpointException(
          "%s is %s, which has no %s".formatted(path(), found.kind().title(), part));
    }
    return new JsonKeys(config, "%s (%s, %s)".formatted(path(), found.kind().title(), part));
  }

  @Override
  public Weights weights(String part) {
    return switch (part) {
      case "transformer" -> Weights.of(tensors, found.names());
      case "vae" -> Weights.of(tensors, vae());
      default -> textEncoders.get(part).weights();
    };
  }

  private WeightNames vae() {
    for (String prefix : VAES) {
      if (tensors.has(prefix + "decoder.conv_in.weight")) {
        return LdmNames.vae(prefix, config("vae").counts("block_out_channels").size());
      }
    }
    throw new CheckpointException(
        "%s has no autoencoder; give that of %s with --vae FILE"
            .formatted(path(), found.kind().title()));
  }

  @Override
  public Checkpoint checkpoint(String part) {
    return textEncoders.get(part).checkpoint();
  }

  @Override
  public void requireAllUsed(boolean otherVae) {
    tensors.requireAllUsed(NetworkFile.OTHERS);
    given.forEach(TextEncoderFile::requireAllUsed);
  }

  @Override
  public void checkNumbers(String what, float[] results) {
    NotFinite.check(what, results, checkpoint);
  }

  /// `tokenizer_2` is that of `text_encoder_2`.
  @Override
  public Path folder(String part) {
    return textEncoders.get(part.replace("tokenizer", "text_encoder")).tokenizer();
  }

  @Override
  public void unload() {
    given.forEach(encoder -> encoder.checkpoint().unload());
    checkpoint.unload();
  }

  @Override
  public void close() {
    given.forEach(TextEncoderFile::close);
    checkpoint.close();
  }
}
