package io.gatun.models.encoder;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.UnknownKeys;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.ops.Activation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/// Which architecture a checkpoint has, and what its configuration says of it.
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

  private static final List<String> ARCHITECTURES =
      List.of("bert", "roberta", "xlm_roberta", "nomic_bert", "modernbert");

  private static final List<String> PREFIXES = List.of("", "bert.", "roberta.", "model.");

  private static final Pattern HARMLESS_BERT = Pattern.compile("output_past");

  private static final Pattern HARMLESS_NOMIC =
      Pattern.compile(
          ".*pdrop|dense_seq_output|fused_(bias_fc|dropout_add_ln)|max_trained_positions"
              + "|pad_vocab_size_multiple|reorder_and_upcast_attn|summary_.*|use_xentropy");

  private static final Pattern HARMLESS_MODERN =
      Pattern.compile(
          "classifier_.*|decoder_bias|deterministic_flash_attn|layer_norm_eps|sparse_.*"
              + "|reference_compile|repad_logits_with_grad|position_embedding_type");

  private Encoders() {}

  /// The configuration of a checkpoint under config.json's names.
  ///
  /// @throws CheckpointException if there is none
  public static JsonKeys keys(Checkpoint checkpoint) {
    if (checkpoint.format() == Format.GGUF) {
      return EncoderKeys.ofGguf(checkpoint.metadata(), checkpoint.path().toString());
    }
    return JsonKeys.read(directory(checkpoint).resolve("config.json"));
  }

  /// Where the files beside a checkpoint lie.
  public static Path directory(Checkpoint checkpoint) {
    Path path = checkpoint.path();
    return Files.isDirectory(path) ? path : path.toAbsolutePath().getParent();
  }

  /// Whether a configuration is that of a language model, which reads texts as [DecoderEncoder].
  public static boolean isDecoder(JsonKeys keys) {
    return Architectures.types().contains(keys.text("model_type", "bert"));
  }

  /// A language model that reads texts.
  ///
  /// @throws CheckpointException if Gatun cannot run it
  public static DecoderEncoder decoder(Checkpoint checkpoint) {
    return new DecoderEncoder(Architectures.openReader(checkpoint, HEADS));
  }

  /// The tensors of the encoder under the names of transformers, without a prefix.
  public static Weights weights(UsedTensors tensors) {
    if (tensors.checkpoint().format() == Format.GGUF) {
      return Weights.of(tensors, EncoderNames.gguf());
    }
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

  /// The encoder.
  ///
  /// @param keys of which those that belong to the encoder are read here
  /// @param weights asked for once the architecture is known
  /// @throws CheckpointException if it is none that Gatun runs, or a tensor is missing or has
  ///   another shape than the configuration says
  public static TextEncoder of(JsonKeys keys, Supplier<Weights> weights) {
    String type = architecture(keys);
    return switch (type) {
      case "bert", "roberta", "xlm_roberta" -> bert(keys, weights.get(), !type.equals("bert"));
      case "nomic_bert" -> nomic(keys, weights.get());
      case "modernbert" -> modern(keys, weights.get());
      default -> throw new AssertionError(type);
    };
  }

  /// The architecture's name, with underscores.
  ///
  /// @throws CheckpointException if it is none of an encoder that Gatun runs
  public static String architecture(JsonKeys keys) {
    String name = keys.text("model_type", "bert");
    String type = name.replace('-', '_');
    if (!ARCHITECTURES.contains(type)) {
      throw new CheckpointException(
          "%s: the architecture is \"%s\"; Gatun's encoders are %s, and these language models: %s"
              .formatted(
                  keys.where(),
                  UnknownKeys.shown(name),
                  String.join(", ", ARCHITECTURES),
                  String.join(", ", Architectures.types())));
    }
    return type;
  }

  private static void decoderFlags(JsonKeys keys) {
    keys.requireFlag("is_decoder", false);
    keys.requireFlag("attention.causal", false);
    keys.requireFlag("causal", false);
  }

  private static TextEncoder bert(JsonKeys keys, Weights weights, boolean roberta) {
    decoderFlags(keys);
    keys.require("position_embedding_type", "absolute", "absolute");
    keys.refuse("add_cross_attention");
    var config =
        new Bert.Config(
            keys.count("vocab_size"),
            hidden(keys, "hidden_size", "num_attention_heads"),
            keys.count("intermediate_size"),
            keys.count("num_hidden_layers"),
            keys.count("num_attention_heads"),
            keys.count("max_position_embeddings"),
            keys.count("type_vocab_size", 2),
            (float) keys.number("layer_norm_eps", 1e-12),
            activation(keys),
            roberta ? keys.integer("pad_token_id", 1) + 1 : 0);
    if (config.firstPosition() < 0 || config.maxPositionEmbeddings() <= config.firstPosition()) {
      throw new CheckpointException(
          "%s: max_position_embeddings %d leaves no position behind that of pad_token_id"
              .formatted(keys.where(), config.maxPositionEmbeddings()));
    }
    keys.requireAllRead(HARMLESS_BERT);
    return new Bert(config, weights);
  }

  private static TextEncoder nomic(JsonKeys keys, Weights weights) {
    decoderFlags(keys);
    boolean old = keys.json().has("n_embd");
    var config =
        old
            ? new NomicBert.Config(
                keys.count("vocab_size"),
                hidden(keys, "n_embd", "n_head"),
                keys.count("n_inner"),
                keys.count("n_layer"),
                keys.count("n_head"),
                keys.count("n_positions"),
                keys.count("type_vocab_size", 2),
                (float) keys.number("layer_norm_epsilon", 1e-12),
                theta(keys, keys.number("rotary_emb_base", 1000)))
            : new NomicBert.Config(
                keys.count("vocab_size"),
                hidden(keys, "hidden_size", "num_attention_heads"),
                keys.count("intermediate_size"),
                keys.count("num_hidden_layers"),
                keys.count("num_attention_heads"),
                keys.count("max_position_embeddings"),
                keys.count("type_vocab_size", 2),
                (float) keys.number("layer_norm_eps", 1e-12),
                theta(keys, rope(keys)));
    keys.require("activation_function", "swiglu", "swiglu");
    keys.require("hidden_act", "silu", "silu");
    keys.require("rotary_emb_fraction", 1);
    keys.requireFlag("scale_attn_weights", true);
    keys.requireAllRead(HARMLESS_NOMIC);
    return new NomicBert(config, weights);
  }

  /// transformers 5 keeps the base in a section; GGUF does not.
  private static double rope(JsonKeys keys) {
    var section = keys.section("rope_parameters");
    section.require("rope_type", "default", "default");
    double theta = section.number("rope_theta", keys.number("rope_theta", 1000));
    section.requireAllRead();
    return theta;
  }

  private static TextEncoder modern(JsonKeys keys, Weights weights) {
    decoderFlags(keys);
    keys.require("hidden_activation", "gelu", "gelu");
    var config =
        new ModernBert.Config(
            keys.count("vocab_size"),
            hidden(keys, "hidden_size", "num_attention_heads"),
            keys.count("intermediate_size"),
            keys.count("num_hidden_layers"),
            keys.count("num_attention_heads"),
            keys.count("max_position_embeddings"),
            (float) keys.number("norm_eps", 1e-5),
            keys.count("global_attn_every_n_layers", 3),
            keys.count("local_attention", 128),
            theta(keys, keys.number("global_rope_theta", 160_000)),
            theta(keys, keys.number("local_rope_theta", 10_000)));
    keys.requireAllRead(HARMLESS_MODERN);
    return new ModernBert(config, weights);
  }

  /// A hidden size that the heads divide.
  private static int hidden(JsonKeys keys, String sizeKey, String headsKey) {
    int size = keys.count(sizeKey);
    int heads = keys.count(headsKey);
    if (size % heads != 0 || size / heads % 2 != 0) {
      throw new CheckpointException(
          "%s: %s %d and %s %d: need heads of equal, even size"
              .formatted(keys.where(), sizeKey, size, headsKey, heads));
    }
    return size;
  }

  private static double theta(JsonKeys keys, double theta) {
    if (!(theta > 0) || Double.isInfinite(theta)) {
      throw new CheckpointException(
          "%s: the base of rotary positions is %s; need a number above 0"
              .formatted(keys.where(), theta));
    }
    return theta;
  }

  private static Activation activation(JsonKeys keys) {
    String name = keys.text("hidden_act", "gelu");
    return switch (name) {
      case "gelu" -> Activation.GELU;
      case "gelu_new", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
      case "relu" -> Activation.RELU;
      default ->
          throw new CheckpointException(
              "%s: \"hidden_act\" is \"%s\"; Gatun runs gelu, gelu_new and relu"
                  .formatted(keys.where(), name));
    };
  }
}
