package io.gatun.models.decoder.arch;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.Keys;
import io.gatun.models.quantized.QuantizedCheckpoint;
import java.util.List;
import java.util.regex.Pattern;

/// All architectures that Gatun runs.
public final class Architectures {
  private static final List<Architecture> ALL =
      List.of(
          new Cohere2(),
          new Deepseek(),
          new FalconH1(),
          new Gemma(),
          new Gemma4(),
          new Glm4(),
          new Glm4Moe(),
          new GptOss(),
          new Granite(),
          new Lfm2(),
          new Llama(),
          new Ministral3(),
          new NemotronH(),
          new Olmo(),
          new Phi3(),
          new Qwen3Next(),
          new QwenMoe(),
          new SmolLM3(),
          new Starcoder2());

  private static final Pattern NOTHING = Pattern.compile("(?!)");

  private Architectures() {}

  /// The model of a checkpoint.
  ///
  /// @throws CheckpointException if Gatun cannot run it
  public static Decoder open(Checkpoint checkpoint) {
    return open(checkpoint, Keys.of(checkpoint));
  }

  /// The model of a checkpoint whose configuration is elsewhere.
  ///
  /// @throws CheckpointException if Gatun cannot run it
  public static Decoder open(Checkpoint checkpoint, Keys keys) {
    return writer(open(QuantizedCheckpoint.of(checkpoint, keys), keys, NOTHING), keys);
  }

  /// The model of a checkpoint, to be asked what it is and needs: matrices of integers, which would
  /// have to be packed, are zeros in it.
  ///
  /// @throws CheckpointException if Gatun cannot run the model
  public static Decoder outline(Checkpoint checkpoint) {
    var keys = Keys.of(checkpoint);
    return writer(open(QuantizedCheckpoint.outline(checkpoint, keys), keys, NOTHING), keys);
  }

  private static Decoder writer(Decoder decoder, Keys keys) {
    if (decoder.isBidirectional()) {
      throw new CheckpointException(
          "%s: this model reads texts in both directions, and writes none. Vectors of texts come from: gatun embed"
              .formatted(keys.where()));
    }
    return decoder;
  }

  /// The model of a checkpoint that makes vectors or scores of texts.
  ///
  /// @param heads the tensors of what follows it
  /// @throws CheckpointException if Gatun cannot run it
  public static Decoder openReader(Checkpoint checkpoint, Pattern heads) {
    var keys = Keys.of(checkpoint);
    return open(QuantizedCheckpoint.of(checkpoint, keys), keys, heads);
  }

  private static Decoder open(Checkpoint checkpoint, Keys keys, Pattern others) {
    for (var architecture : ALL) {
      if (architecture.types().contains(keys.type())) {
        return Decoder.of(checkpoint, keys, architecture, others);
      }
    }
    throw new CheckpointException(
        "%s: %s is \"%s\"; Gatun runs %s"
            .formatted(
                keys.where(),
                keys.isGguf() ? "general.architecture" : "model_type",
                keys.type(),
                String.join(", ", types())));
  }

  /// What config.json's model_type and GGUF's general.architecture call all of them.
  public static List<String> types() {
    return ALL.stream().flatMap(a -> a.types().stream()).sorted().toList();
  }
}
