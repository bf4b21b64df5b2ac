package io.gatun.models.llama;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.text.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.stream.Stream;

/// A model's new directory, and the files beside the weights that go there too. Unless the copying
/// was done, closing removes what was made.
final class Companions implements AutoCloseable {
  /// Configuration, tokenizer, chat template; and licences, which ask to go along.
  private static final String NAMES =
      "(generation_)?config\\.json|params\\.json|tokenizer.*|tok\\d+\\.bin|special_tokens_map\\.json"
          + "|added_tokens\\.json|vocab\\.(json|txt)|merges\\.txt|chat_template.*"
          + "|(?i:(licen[sc]e|notice|use_policy|model_card|readme).*)";

  private final Path from;
  private final Path to;
  private final boolean made;
  private boolean done;

  /// @param model the old model: its directory, or a file in it
  /// @param to the new directory, which is made if it is not there
  /// @throws CheckpointException if that fails
  Companions(Path model, Path to) {
    this.from = Files.isDirectory(model) ? model : model.toAbsolutePath().getParent();
    this.to = to;
    made = !Files.isDirectory(to);
    try {
      if (made) {
        Files.createDirectory(to);
      } else if (Files.isSameFile(from, to)) {
        throw new CheckpointException(
            "%s: is where the model itself lies; choose another directory".formatted(to));
      }
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /// @throws CheckpointException if a file cannot be read or written
  void copy() {
    try {
      copyAll(from);
      var tokenizer = Tokenizers.file(from).map(file -> file.toAbsolutePath().getParent());
      if (tokenizer.isPresent() && !Files.isSameFile(tokenizer.get(), from)) {
        copyAll(tokenizer.get());
      }
      Path config = to.resolve("config.json");
      if (Files.exists(config)) {
        untie(config);
      }
    } catch (IOException e) {
      throw failed(e);
    }
    done = true;
  }

  private void copyAll(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
        String name = file.getFileName().toString();
        Path copy = to.resolve(name);
        if (name.matches(NAMES) && !(directory != from && Files.exists(copy))) {
          Files.copy(file, copy, StandardCopyOption.REPLACE_EXISTING);
        }
      }
    }
  }

  /// The output has a matrix of its own now.
  private static void untie(Path config) throws IOException {
    var json = new ObjectMapper();
    if (json.readTree(config.toFile()) instanceof ObjectNode node
        && node.path("tie_word_embeddings").asBoolean()) {
      node.put("tie_word_embeddings", false);
      Files.delete(config);
      json.writerWithDefaultPrettyPrinter().writeValue(config.toFile(), node);
    }
  }

  @Override
  public void close() {
    if (done || !made) {
      return;
    }
    try (Stream<Path> files = Files.list(to)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
      Files.delete(to);
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private CheckpointException failed(IOException e) {
    String reason =
        e instanceof NoSuchFileException
            ? "no folder can be made in " + to.toAbsolutePath().getParent()
            : e.getMessage();
    return new CheckpointException("%s: cannot be written: %s".formatted(to, reason), e);
  }
}
