package io.gatun.tools.text;

import io.gatun.models.TextEmbedder;
import io.gatun.models.encoder.Pooling;
import io.gatun.tools.console.Json;
import io.gatun.tools.remote.RemoteOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun embed`: vectors of texts.
@Command(
    name = "embed",
    description =
        "Print a vector for each text, of which those of similar meaning point in similar"
            + " directions.",
    sortOptions = false)
public final class Embed implements Runnable {
  @Spec private CommandSpec spec;

  @Mixin private EncoderOptions model;

  @Mixin
  private RemoteOptions remote =
      new RemoteOptions("--prompt", "--file", "--prompt-name", "--truncate", "--json", "--npy");

  @Mixin private LineOptions texts;

  @Option(
      names = "--prompt-name",
      paramLabel = "NAME",
      description =
          "Put the model's own prompt of that name before each text: query, document (default:"
              + " what the model says).")
  private String promptName;

  @Option(
      names = "--pooling",
      paramLabel = "mean|cls|last",
      description = "How tokens become one vector (default: what the model's files say).")
  private Pooling pooling;

  @Option(names = "--json", description = "Print JSON: the texts and their vectors.")
  private boolean json;

  @Option(
      names = "--npy",
      paramLabel = "FILE",
      description =
          "Write a matrix of F32 for NumPy instead, a row for each text; - is standard output.")
  private Path npy;

  @Override
  public void run() {
    if (json && npy != null) {
      throw new ParameterException(spec.commandLine(), "Give --json or --npy, not both");
    }
    if (!remote.isGiven()) {
      model.model();
    }
    texts.stream(this::embed);
  }

  private Vectors open() {
    return remote.isGiven()
        ? new RemoteVectors(remote.open(), remote.model(), promptName, model.cut())
        : new ModelVectors(
            TextEmbedder.load(
                model.model(),
                o -> {
                  model.apply(o);
                  o.pooling(pooling);
                }),
            model.model(),
            promptName);
  }

  /// A model in this process.
  private record ModelVectors(TextEmbedder embedder, Path path, String promptName)
      implements Vectors {
    @Override
    public String model() {
      return path.toString();
    }

    @Override
    public void embed(Iterator<String> texts, Consumer<float[]> vectors) {
      embedder.embed(texts, promptName == null ? embedder.defaultPrompt() : promptName, vectors);
    }

    @Override
    public void close() {
      embedder.close();
    }
  }

  private void embed(Iterator<String> all) {
    try (var vectors = open()) {
      if (npy != null) {
        try (var matrix = NpyWriter.to(npy, spec)) {
          vectors.embed(all, matrix::add);
          matrix.commit();
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
        return;
      }
      var out = spec.commandLine().getOut();
      if (json) {
        out.println(Json.of(map(vectors, all)));
      } else {
        vectors.embed(all, vector -> out.println(line(vector)));
      }
      out.flush();
    }
  }

  private static Map<String, Object> map(Vectors vectors, Iterator<String> all) {
    var read = new ArrayList<String>();
    var found = new ArrayList<float[]>();
    all.forEachRemaining(read::add);
    vectors.embed(read.iterator(), found::add);
    var map = new LinkedHashMap<String, Object>();
    map.put("model", vectors.model());
    map.put("dimension", found.getFirst().length);
    map.put("texts", read);
    map.put("embeddings", found);
    return map;
  }

  private static String line(float[] vector) {
    var line = new StringJoiner(" ");
    for (float v : vector) {
      line.add(String.format(Locale.ROOT, "%.6f", v));
    }
    return line.toString();
  }
}
