package io.gatun.models.encoder;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.models.nn.Quantization;
import io.gatun.models.nn.UnknownKeys;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.Weights;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// All architectures of encoders that Gatun runs, and where checkpoints keep their tensors.
public final class Encoders {
  /// What is left in a checkpoint when the encoder has taken its tensors: heads that embeddings do
  /// not go through, and tables that follow from the configuration.
  public static final Pattern LEFTOVERS =
      Pattern.compile(
          "(bert\\.|roberta\\.|model\\.)?(embeddings\\.position_ids$|pooler\\.dense\\.)"
              + "|cls\\.(predictions|seq_relationship)\\.|lm_head\\.|head\\.|decoder\\.");

  /// What follows a language model that makes vectors or scores, in GGUF.
  private static final Pattern HEADS =
      Pattern.compile("dense_[23]\\.weight$|cls\\.output\\.weight$");

  private static final String HARMLESS_GGUF = ".*\\.(pooling_type|classifier\\.output_labels)";

  private static final List<EncoderArchitecture> ALL =
      List.of(new Bert(), new ModernBert(), new NomicBert());

  private static final List<String> PREFIXES = List.of("", "bert.", "roberta.", "model.");

  private static final Pattern ALL_LAYERS = Pattern.compile("");

  private static final Pattern LAYER = Pattern.compile("(?:encoder\\.)?layers?\\.(\\d+)\\.(.+)");

  /// GGUF's names for the two layers of a [ClassificationHead].
  private static final Map<String, String> GGUF_HEAD =
      Map.of("classifier.dense", "cls", "classifier.out_proj", "cls.output");

  private Encoders() {}

  /// Whether a configuration is that of a language model, which reads texts as [DecoderEncoder].
  public static boolean isDecoder(Keys keys) {
    return Architectures.types().contains(type(keys));
  }

  /// A language model that reads texts.
  ///
  /// @throws CheckpointException if Gatun cannot run it
  public static DecoderEncoder decoder(Checkpoint checkpoint) {
    return new DecoderEncoder(Architectures.openReader(checkpoint, HEADS));
  }

  /// The encoder.
  ///
  /// @param keys of which those that belong to the encoder are read here
  /// @param quantization what its linear layers keep in 8 bits
  /// @throws CheckpointException if it is none that Gatun runs, a tensor is missing or has another
  ///   shape than the configuration says, or no layer can be quantized
  public static TextEncoder of(Keys keys, UsedTensors tensors, Quantization.Mode quantization) {
    var architecture = architecture(keys);
    keys.requireFlag("is_decoder", false);
    keys.requireFlag("causal", false);
    keys.requireFlag(type(keys) + ".attention.causal", false);
    keys.ignore(HARMLESS_GGUF);
    var weights =
        (keys.isGguf() ? all(keys, tensors) : encoder(tensors))
            .quantized(new Quantization(quantization, 0, ALL_LAYERS));
    var encoder = architecture.build(keys, weights);
    weights.requireQuantized();
    return encoder;
  }

  /// All tensors under the names of transformers; those of an encoder may be behind a prefix.
  static Weights all(Keys keys, UsedTensors tensors) {
    if (!keys.isGguf()) {
      return Weights.of(tensors, WeightNames.SAME);
    }
    var architecture = architecture(keys);
    return Weights.of(
        tensors,
        name -> {
          int dot = name.lastIndexOf('.');
          var layer = LAYER.matcher(name.substring(0, dot));
          String module = layer.matches() ? layer.group(2) : name.substring(0, dot);
          String block = layer.matches() ? "blk." + layer.group(1) + "." : "";
          String own = GGUF_HEAD.getOrDefault(module, module);
          String stored = architecture.ggufNames().getOrDefault(module, own);
          return WeightNames.Stored.of(block + stored + name.substring(dot));
        });
  }

  /// The encoder's tensors without their prefix.
  private static Weights encoder(UsedTensors tensors) {
    var all = Weights.of(tensors, WeightNames.SAME);
    for (String prefix : PREFIXES) {
      for (String table : List.of("word_embeddings", "tok_embeddings")) {
        if (tensors.has(prefix + "embeddings." + table + ".weight")) {
          return prefix.isEmpty() ? all : all.at(prefix.substring(0, prefix.length() - 1));
        }
      }
    }
    throw new CheckpointException(
        "%s: no embedding table under any name that encoders use (embeddings.word_embeddings.weight, embeddings.tok_embeddings.weight, also behind %s). List the file with: gatun inspect %s"
            .formatted(
                tensors.checkpoint().path(),
                String.join(", ", PREFIXES.subList(1, PREFIXES.size())),
                tensors.checkpoint().path()));
  }

  /// The architecture of a configuration.
  ///
  /// @throws CheckpointException if it is none of an encoder that Gatun runs
  static EncoderArchitecture architecture(Keys keys) {
    String type = type(keys).replace('-', '_');
    for (var architecture : ALL) {
      if (architecture.types().contains(type)) {
        return architecture;
      }
    }
    throw new CheckpointException(
        "%s: the architecture is \"%s\"; Gatun's encoders are %s, and these language models: %s"
            .formatted(
                keys.where(),
                UnknownKeys.shown(type(keys)),
                String.join(", ", types()),
                String.join(", ", Architectures.types())));
  }

  /// What config.json's model_type and GGUF's general.architecture call all of them, with
  /// underscores.
  public static List<String> types() {
    return ALL.stream().flatMap(a -> a.types().stream()).sorted().toList();
  }

  /// The first files of BERT do not say what they are.
  private static String type(Keys keys) {
    return keys.text("model_type", "bert");
  }
}
