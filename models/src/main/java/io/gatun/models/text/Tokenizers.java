package io.gatun.models.text;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Finds and reads a checkpoint's vocabulary.
public final class Tokenizers {
  private Tokenizers() {}

  /// The tokenizer of a model, whose weights need not be there; of a GGUF file only the header is
  /// read.
  ///
  /// @throws CheckpointException if there is none, it is damaged, or asks for what Gatun does not
  ///   have
  public static Tokenizer load(Path model) {
    if (!Files.exists(model)) {
      throw new CheckpointException(model + ": there is no such file or directory");
    }
    if (Files.isDirectory(model) ? find(model).isPresent() : isVocabulary(model)) {
      return load(model, Map.of());
    }
    try (var checkpoint = Checkpoint.open(model)) {
      return load(model, checkpoint.metadata());
    }
  }

  /// The tokenizer of a model: a GGUF file's own, which is in its metadata; else, in the model's
  /// directory or the one above, `tokenizer.json` (Hugging Face), `tokenizer.model`
  /// (SentencePiece), `tokenizer.bin` or `tok512.bin` (llama2.c), `vocab.json` and `merges.txt`
  /// (CLIP), `vocab.txt` (BERT), in this order. `model` may also be such a file itself.
  ///
  /// @param metadata the checkpoint's, as [io.gatun.loaders.Checkpoint#metadata] gives it: GGUF
  ///   integers as `Long`, strings as `String`, arrays as `List`
  /// @throws CheckpointException if there is none, it is damaged, or asks for what Gatun does not
  ///   have
  public static Tokenizer load(Path model, Map<String, Object> metadata) {
    if (metadata.containsKey("tokenizer.ggml.model")) {
      return new GgufTokenizer(metadata, model).build();
    }
    if (Files.isRegularFile(model) && isVocabulary(model)) {
      return read(model);
    }
    Path directory = directory(model);
    return file(model)
        .map(Tokenizers::read)
        .orElseThrow(
            () ->
                new CheckpointException(
                    ("%s: no tokenizer. Looked for tokenizer.json, tokenizer.model, tokenizer.bin,"
                         + " tok*.bin (llama2.c), vocab.json (CLIP) and vocab.txt (BERT) in %s and"
                         + " one directory up, and for tokenizer.ggml.model in the file's metadata."
                         + " Put the model's tokenizer beside it.")
                        .formatted(model, directory)));
  }

  /// The vocabulary that all of OpenAI's CLIP models and OpenCLIP's have.
  ///
  /// @param pad the padding token
  public static Tokenizer clip(String pad) {
    String name = "bpe_simple_vocab_16e6.txt.gz";
    return ClipVocabulary.readMerges(
        Tokenizers.class.getResourceAsStream(name), Path.of(name), pad);
  }

  /// The vocabulary's file in a model's directory or the one above, where [#load] finds it.
  public static Optional<Path> file(Path model) {
    Path directory = directory(model);
    Path above = directory.toAbsolutePath().getParent();
    return find(directory).or(() -> above == null ? Optional.empty() : find(above));
  }

  private static Path directory(Path model) {
    return Files.isDirectory(model) ? model : model.toAbsolutePath().getParent();
  }

  private static Optional<Path> find(Path directory) {
    for (String name :
        List.of("tokenizer.json", "tokenizer.model", "tokenizer.bin", "vocab.json", "vocab.txt")) {
      Path file = directory.resolve(name);
      if (Files.isRegularFile(file)) {
        return Optional.of(file);
      }
    }
    try (var files = Files.newDirectoryStream(directory, "tok[0-9]*.bin")) {
      for (Path file : files) {
        return Optional.of(file);
      }
      return Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private static boolean isVocabulary(Path file) {
    String name = file.getFileName().toString();
    return name.endsWith(".json")
        || name.endsWith(".model")
        || name.equals("vocab.txt")
        || name.matches(".*tok.*\\.bin");
  }

  private static Tokenizer read(Path file) {
    String name = file.getFileName().toString();
    var config = TokenizerConfig.read(file.toAbsolutePath().getParent());
    if (name.equals("vocab.json")) {
      return ClipVocabulary.read(file, config);
    }
    if (name.equals("vocab.txt")) {
      return BertVocabulary.read(file, config);
    }
    if (name.endsWith(".json")) {
      return TokenizerJson.read(file, config);
    }
    return name.endsWith(".model")
        ? SentencePiece.readModel(file, config)
        : SentencePiece.readLlama2c(file, config);
  }
}
