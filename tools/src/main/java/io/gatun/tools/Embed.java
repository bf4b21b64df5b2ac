package io.gatun.tools;

import io.gatun.models.TextEmbedder;
import io.gatun.models.encoder.Pooling;
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
final class Embed implements Runnable {
  @Spec private CommandSpec spec;

  @Mixin private EncoderOptions model;

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
    texts.stream(this::embed);
  }

  private void embed(Iterator<String> all) {
    try (var embedder =
        TextEmbedder.load(
            model.model(),
            o -> {
              model.apply(o);
              o.pooling(pooling);
            })) {
      if (npy != null) {
        try (var matrix = NpyWriter.to(npy, spec, embedder.dimension())) {
          embed(embedder, all, matrix::add);
          matrix.commit();
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
        return;
      }
      var out = spec.commandLine().getOut();
      if (json) {
        out.println(Json.of(map(embedder, all)));
      } else {
        embed(embedder, all, vector -> out.println(line(vector)));
      }
      out.flush();
    }
  }

  private Map<String, Object> map(TextEmbedder embedder, Iterator<String> all) {
    var read = new ArrayList<String>();
    var vectors = new ArrayList<float[]>();
    all.forEachRemaining(read::add);
    embed(embedder, read.iterator(), vectors::add);
    var map = new LinkedHashMap<String, Object>();
    map.put("model", model.model().toString());
    map.put("dimension", embedder.dimension());
    map.put("texts", read);
    map.put("embeddings", vectors);
    return map;
  }

  private void embed(TextEmbedder embedder, Iterator<String> all, Consumer<float[]> vectors) {
    embedder.embed(all, promptName == null ? embedder.defaultPrompt() : promptName, vectors);
  }

  private static String line(float[] vector) {
    var line = new StringJoiner(" ");
    for (float v : vector) {
      line.add(String.format(Locale.ROOT, "%.6f", v));
    }
    return line.toString();
  }
}
