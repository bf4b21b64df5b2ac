package io.gatun.models.rewrite;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.ffm.files.AtomicFile;
import io.gatun.ffm.files.Unfinished;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.text.Tokenizers;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;

/// A model's new directory, and the files beside the weights that go there too. Unless the copying
/// was done, closing removes what was made; so does the end of the process.
final class Companions implements AutoCloseable {
  private final Path from;
  private final Path to;
  private final boolean made;
  private final Map<String, Path> sources;

  /// What was written in a directory of our making, the latest first.
  private final Deque<Path> written = new ArrayDeque<>();

  private final boolean quantized;
  private final boolean ownOutput;
  private boolean done;

  /// @param model the old model: its directory, or a file in it
  /// @param to the new directory, which is made if it is not there
  /// @param quantized whether layers stay as a tool quantized them, which config.json then says
  /// @param ownOutput whether the output has a matrix of its own
  /// @throws CheckpointException if that fails, or a file to be copied is a link that leads out of
  ///   the old model's directory
  Companions(Path model, Path to, boolean quantized, boolean ownOutput) {
    this.quantized = quantized;
    this.ownOutput = ownOutput;
    this.from = ModelFolder.of(model);
    this.to = to;
    try {
      // Whatever is wrong with them is better said before minutes of work.
      sources = ModelFolder.companions(from);
      Path tokenizer = Tokenizers.file(from).map(f -> f.toAbsolutePath().getParent()).orElse(from);
      if (!Files.isSameFile(tokenizer, from)) {
        ModelFolder.tokenizer(tokenizer).forEach(sources::putIfAbsent);
      }
      made = !Files.isDirectory(to);
      if (made) {
        Files.createDirectory(to);
        remember(to);
      }
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /// Where a file of that name goes.
  Path file(String name) {
    Path file = to.resolve(name);
    if (made) {
      remember(file);
    }
    return file;
  }

  private void remember(Path path) {
    written.push(path);
    Unfinished.add(path);
  }

  /// @throws CheckpointException if a file cannot be read or written
  void copy() {
    try {
      for (var source : sources.entrySet()) {
        copy(source.getValue(), file(source.getKey()));
      }
    } catch (IOException e) {
      throw failed(e);
    }
    done = true;
  }

  private void copy(Path source, Path copy) throws IOException {
    var json = new ObjectMapper();
    if (copy.endsWith("config.json")
        && json.readTree(source.toFile()) instanceof ObjectNode config
        && changed(config)) {
      AtomicFile.write(copy, json.writerWithDefaultPrettyPrinter().writeValueAsString(config));
      return;
    }
    try (var in = ModelFolder.read(source);
        var out = new AtomicFile(copy)) {
      in.transferTo(Channels.newOutputStream(out.channel()));
      out.commit();
    }
  }

  /// Makes a configuration that of the new model.
  ///
  /// @return whether it was another one
  private boolean changed(ObjectNode config) {
    int before = config.hashCode();
    if (ownOutput && config.path("tie_word_embeddings").asBoolean()) {
      config.put("tie_word_embeddings", false);
    }
    if (!quantized) {
      config.remove(List.of("quantization_config", "quantization", "compression_config"));
    }
    return config.hashCode() != before;
  }

  @Override
  public void close() {
    try {
      for (Path path : written) {
        if (!done) {
          Files.deleteIfExists(path);
        }
        Unfinished.remove(path);
      }
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
