package io.gatun.server.text;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.TextEmbedder;
import io.gatun.server.http.Fields;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Vectors of texts, as `dimensions` and `truncate` ask for them. Nothing is cut unless it is asked
/// for: half a text may have another meaning.
public final class Vectors {
  private final TextEmbedder model;
  private final int dimension;
  private final List<String> warnings = new ArrayList<>();
  private final Consumer<String> cut;

  /// @throws io.gatun.server.http.ApiException if the model's vectors cannot be cut to that length
  public Vectors(Fields f, TextEmbedder model) {
    this.model = model;
    dimension = f.count("dimensions", model.dimension(), 1, Integer.MAX_VALUE);
    if (!model.shortens(dimension)) {
      throw f.invalid(
          "dimensions",
          "is %d; this model's vectors have %d numbers, and are not known to be made to be cut to that length"
              .formatted(dimension, model.dimension()));
    }
    cut = f.flag("truncate", false) ? warnings::add : null;
  }

  /// The tokens of texts.
  ///
  /// @throws IllegalArgumentException if one is too long, and is not to be cut
  public List<int[]> encode(List<String> texts, String promptName) {
    return model.encode(texts, promptName, cut);
  }

  /// Their vectors.
  public List<float[]> of(List<int[]> tokens) {
    var vectors = new ArrayList<float[]>();
    for (float[] whole : model.embedTokens(tokens)) {
      vectors.add(model.shortened(whole, dimension));
    }
    return vectors;
  }

  /// Tells which texts were cut, if any.
  public void warn(ObjectNode body) {
    if (!warnings.isEmpty()) {
      warnings.forEach(body.putArray("warnings")::add);
    }
  }
}
