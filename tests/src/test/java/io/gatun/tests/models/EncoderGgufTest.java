package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.Reranker;
import io.gatun.models.TextEmbedder;
import io.gatun.models.encoder.Encoders;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Encoders as GGUF files: the results are those of the Hugging Face folders.
class EncoderGgufTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path dir;

  static List<Path> embedders() throws IOException {
    return encoders(EncoderModels.embedders());
  }

  static List<Path> rerankers() throws IOException {
    return encoders(EncoderModels.rerankers());
  }

  /// Those that are no language models, which [ReaderGgufTest] has.
  private static List<Path> encoders(List<Path> models) throws IOException {
    var found = new ArrayList<Path>();
    for (Path model : models) {
      var type = JSON.readTree(model.resolve("config.json").toFile()).get("model_type").asText();
      if (Encoders.types().contains(type.replace('-', '_'))) {
        found.add(model);
      }
    }
    return found;
  }

  @ParameterizedTest
  @MethodSource("embedders")
  void vectors(Path model) throws IOException {
    Path file = dir.resolve("model.gguf");
    EncoderGguf.write(model, file, false, UnaryOperator.identity());
    var golden = JSON.readTree(model.resolve("golden.json").toFile());
    try (var reference = Checkpoint.open(model.resolve("golden.safetensors"));
        var embedder = TextEmbedder.load(file, o -> o.dtype(DType.Plain.F32))) {
      float[][] found = embedder.embed(texts(golden));
      for (int i = 0; i < found.length; i++) {
        float[] expected = reference.tensor("embedding").get(i).toFloats();
        assertArrayEquals(normalized(expected), found[i], 2e-5f, "text " + i);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("rerankers")
  void scores(Path model) throws IOException {
    Path file = dir.resolve("model.gguf");
    EncoderGguf.write(model, file, true, UnaryOperator.identity());
    scores(model, file, 1e-5f);
    EncoderGguf.write(model, file, true, EncoderGguf::f16);
    scores(model, file, 2e-3f);
    // When llama.cpp quantizes a file, matrices of one row become vectors.
    EncoderGguf.write(
        model, file, true, t -> t.dim(0) == 1 && t.shape().rank() == 2 ? t.reshape(t.dim(1)) : t);
    scores(model, file, 1e-5f);
  }

  private static void scores(Path model, Path file, float tolerance) throws IOException {
    var golden = JSON.readTree(model.resolve("golden.json").toFile());
    try (var reranker = Reranker.load(file, o -> o.dtype(DType.Plain.F32).truncate(true))) {
      for (int i = 0; i < golden.get("pairs").size(); i++) {
        var pair = golden.get("pairs").get(i);
        float found = reranker.score(pair.get(0).asText(), List.of(pair.get(1).asText()))[0];
        assertEquals(golden.get("scores").get(i).floatValue(), found, tolerance, "pair " + i);
      }
    }
  }

  /// llama.cpp's converter drops BERT's pooler, without which the scores are not the model's.
  @Test
  void aRerankerWithoutItsPoolerIsRefused() throws IOException {
    Path file = dir.resolve("model.gguf");
    EncoderGguf.write(EncoderModels.ours("bert-reranker"), file, false, UnaryOperator.identity());
    var refused = assertThrows(CheckpointException.class, () -> Reranker.load(file));
    assertTrue(refused.getMessage().contains("cls.weight"), refused.getMessage());
    assertTrue(refused.getMessage().contains("Hugging Face"), refused.getMessage());
  }

  /// Fewer bits of the weights leave the direction as good as it was.
  @ParameterizedTest
  @MethodSource("embedders")
  void vectorsOfSmallerTypes(Path model) throws IOException {
    Path file = dir.resolve("model.gguf");
    var golden = JSON.readTree(model.resolve("golden.json").toFile());
    for (UnaryOperator<Tensor> type :
        List.<UnaryOperator<Tensor>>of(EncoderGguf::f16, EncoderGguf::q8)) {
      EncoderGguf.write(model, file, false, type);
      try (var reference = Checkpoint.open(model.resolve("golden.safetensors"));
          var embedder = TextEmbedder.load(file)) {
        float[][] found = embedder.embed(texts(golden));
        for (int i = 0; i < found.length; i++) {
          float[] expected = normalized(reference.tensor("embedding").get(i).toFloats());
          double distance = 1;
          for (int k = 0; k < expected.length; k++) {
            distance -= (double) expected[k] * found[i][k];
          }
          assertTrue(distance < 5e-3, "text " + i + ": cosine distance " + distance);
        }
      }
    }
  }

  private static List<String> texts(JsonNode golden) {
    var texts = new ArrayList<String>();
    golden.get("texts").forEach(each -> texts.add(each.asText()));
    return texts;
  }

  private static float[] normalized(float[] vector) {
    double squares = 0;
    for (float v : vector) {
      squares += (double) v * v;
    }
    for (int i = 0; i < vector.length; i++) {
      vector[i] /= (float) Math.sqrt(squares);
    }
    return vector;
  }
}
