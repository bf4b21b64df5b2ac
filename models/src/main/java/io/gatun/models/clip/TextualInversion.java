package io.gatun.models.clip;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// A word that a text encoder was taught from pictures (Gal et al. 2022, arXiv:2208.01618): one or
/// more vectors that take the place of its tokens' embeddings.
///
/// @param token by which prompts name it: `<cat>`
/// @param vectors (n, D) of the text encoder
/// @param vectors2 of SDXL's second text encoder; empty for none
@SuppressWarnings("ArrayRecordComponent") // never compared
public record TextualInversion(String token, List<float[]> vectors, List<float[]> vectors2) {
  private static final String AUTOMATIC1111 = "string_to_param.*";
  private static final String VECTORS = "emb_params";
  private static final String FIRST = "clip_l";
  private static final String SECOND = "clip_g";

  /// Reads a file: one word as diffusers saves it, by its name; or vectors, whose word is then the
  /// file's name without its ending, as other programs have it.
  ///
  /// @throws CheckpointException if it is none
  public static TextualInversion read(Path file) {
    try (var checkpoint = Checkpoint.open(file)) {
      Map<String, Tensor> tensors = checkpoint.tensors();
      for (String name : List.of(AUTOMATIC1111, VECTORS)) {
        if (tensors.containsKey(name)) {
          return new TextualInversion(stem(file), rows(tensors.get(name), file), List.of());
        }
      }
      if (tensors.containsKey(FIRST) && tensors.containsKey(SECOND)) {
        return new TextualInversion(
            stem(file), rows(tensors.get(FIRST), file), rows(tensors.get(SECOND), file));
      }
      if (tensors.size() == 1) {
        var only = tensors.entrySet().iterator().next();
        return new TextualInversion(only.getKey(), rows(only.getValue(), file), List.of());
      }
      throw new CheckpointException(
          "%s holds no taught word: need one tensor of the word's name, \"%s\", \"%s\", or \"%s\" and \"%s\"; it has %d. List it with: gatun inspect %s"
              .formatted(file, VECTORS, AUTOMATIC1111, FIRST, SECOND, tensors.size(), file));
    }
  }

  private static String stem(Path file) {
    String name = file.getFileName().toString();
    int dot = name.lastIndexOf('.');
    return dot <= 0 ? name : name.substring(0, dot);
  }

  /// The vectors (n, D) or (D).
  private static List<float[]> rows(Tensor t, Path file) {
    int rank = t.shape().rank();
    if (rank < 1 || rank > 2 || t.size() == 0) {
      throw new CheckpointException(
          "%s: the word's vectors are %s; need (number, width)".formatted(file, t.shape()));
    }
    var rows = new ArrayList<float[]>();
    for (int i = 0; i < (rank == 1 ? 1 : t.dim(0)); i++) {
      rows.add((rank == 1 ? t : t.get(i)).toFloats());
    }
    return rows;
  }
}
