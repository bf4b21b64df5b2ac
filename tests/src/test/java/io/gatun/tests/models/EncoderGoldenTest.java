package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.Llm;
import io.gatun.models.Reranker;
import io.gatun.models.TextEmbedder;
import io.gatun.models.decoder.Keys;
import io.gatun.models.encoder.Encoders;
import io.gatun.models.encoder.Pooling;
import io.gatun.models.encoder.TokenBatch;
import io.gatun.models.nn.Quantization;
import io.gatun.models.nn.UsedTensors;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Embedders and rerankers against recorded results of transformers and sentence-transformers: all
/// that lie in the folders of small models, here and beside the project.
class EncoderGoldenTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  static List<Path> embedders() throws IOException {
    return EncoderModels.embedders();
  }

  static List<Path> rerankers() throws IOException {
    return EncoderModels.rerankers();
  }

  /// Under each of its names in config.json; [EncoderGgufTest] has those of GGUF.
  @Test
  void aCleanCloneTestsArchitectures() throws IOException {
    var untested = new TreeSet<>(Encoders.types());
    untested.remove("modern_bert"); // GGUF's alone
    try (var folders = Files.list(EncoderModels.OURS)) {
      for (Path folder : folders.filter(Files::isDirectory).toList()) {
        String type =
            JSON.readTree(folder.resolve("config.json").toFile()).get("model_type").asText();
        untested.remove(type.replace('-', '_'));
      }
    }
    assertEquals(Set.of(), untested);
  }

  @ParameterizedTest
  @MethodSource("embedders")
  void vectors(Path model) throws IOException {
    var golden = JSON.readTree(model.resolve("golden.json").toFile());
    var texts = texts(golden.get("texts"));
    for (Backend backend : Backend.values()) {
      try (var reference = Checkpoint.open(model.resolve("golden.safetensors"));
          var embedder =
              TextEmbedder.load(model, o -> o.backend(backend).threads(2).dtype(DType.Plain.F32))) {
        near(backend + "", reference.tensor("embedding"), embedder.embed(texts, null));
        assertEquals(golden.get("max_seq_length").asInt(), embedder.maxTokens());
        assertEquals(reference.tensor("embedding").dim(1), embedder.dimension());
      }
    }
  }

  /// The products of BF16 leave the direction as good as it was.
  @ParameterizedTest
  @MethodSource("embedders")
  void vectorsInBf16(Path model) throws IOException {
    var texts = texts(JSON.readTree(model.resolve("golden.json").toFile()).get("texts"));
    try (var reference = Checkpoint.open(model.resolve("golden.safetensors"));
        var embedder = TextEmbedder.load(model, o -> o.dtype(DType.Plain.BF16))) {
      float[][] found = embedder.embed(texts, null);
      for (int i = 0; i < found.length; i++) {
        double distance = distance(reference.tensor("embedding").get(i).toFloats(), found[i]);
        assertTrue(distance < 5e-3, "text " + i + ": cosine distance " + distance);
      }
    }
  }

  /// Texts of many lengths share products, each of which takes oneDNN milliseconds to compile.
  @Test
  void fewNumbersOfRows() {
    var rows = new TreeSet<Long>();
    try (var embedder = TextEmbedder.load(EncoderModels.ours("minilm-l6"))) {
      embedder
          .functional()
          .observer(
              (name, input, result, flops, nanos) -> {
                if (name.equals("linear")) {
                  rows.add(input.dim(0));
                }
              });
      for (int words = 1; words <= 62; words++) {
        embedder.embed(List.of("the ".repeat(words)));
      }
    }
    assertEquals(Set.of(8L, 16L, 24L, 32L, 40L, 48L, 56L, 64L), rows);
  }

  /// A text that is too long is refused, or cut as sentence-transformers cuts it, and told.
  @ParameterizedTest
  @MethodSource("embedders")
  void longTexts(Path model) throws IOException {
    var golden = JSON.readTree(model.resolve("golden.json").toFile());
    var text = List.of("x", golden.get("truncated_text").asText());
    var notices = new ArrayList<String>();
    try (var reference = Checkpoint.open(model.resolve("golden.safetensors"));
        var strict = TextEmbedder.load(model);
        var embedder =
            TextEmbedder.load(
                model, o -> o.dtype(DType.Plain.F32).truncate(true).notices(notices::add))) {
      var refused = assertThrows(IllegalArgumentException.class, () -> strict.embed(text, null));
      assertTrue(refused.getMessage().startsWith("text 2 has "), refused.getMessage());
      near(
          "cut", reference.tensor("long.embedding"), new float[][] {embedder.embed(text, null)[1]});
      assertEquals(1, notices.size());
    }
  }

  /// The states after each layer, of a text alone and of all texts at once, of which none is
  /// padded.
  @ParameterizedTest
  @MethodSource("embedders")
  void hiddenStates(Path model) throws IOException {
    var golden = JSON.readTree(model.resolve("golden.json").toFile());
    try (var checkpoint = Checkpoint.open(model.resolve("model.safetensors"));
        var reference = Checkpoint.open(model.resolve("golden.safetensors"));
        var ops = new Ops(Backend.NATIVE, 2);
        var _ = ops.scope()) {
      var f = new Functional(ops, DType.Plain.F32);
      var tensors = new UsedTensors(checkpoint);
      var keys = Keys.of(checkpoint);
      var encoder =
          Encoders.isDecoder(keys)
              ? Encoders.decoder(checkpoint)
              : Encoders.of(keys, tensors, Quantization.Mode.NONE);
      var layer = new AtomicInteger();
      encoder.forward(
          f,
          TokenBatch.of(List.of(ids(golden.get("ids").get(2))), null),
          x ->
              close(
                  "hidden." + layer,
                  reference.tensor("text2.hidden." + layer.getAndIncrement()),
                  x));
      assertEquals(encoder.layers() + 1, layer.get());
      var all = new ArrayList<int[]>();
      golden.get("ids").forEach(each -> all.add(ids(each)));
      var batch = TokenBatch.of(all, null);
      var hidden = encoder.forward(f, batch);
      for (int i = 0; i < batch.texts(); i++) {
        int start = batch.start(i);
        int length = batch.length(i);
        var padded = reference.tensor("last_hidden_state").get(i);
        boolean left = golden.path("padding_side").asText().equals("left");
        long first = left ? padded.dim(0) - length : 0;
        close(
            "text " + i,
            padded.slice(0, first, first + length),
            hidden.slice(0, start, start + length));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("rerankers")
  void scores(Path model) throws IOException {
    var golden = JSON.readTree(model.resolve("golden.json").toFile());
    var notices = new ArrayList<String>();
    try (var strict = Reranker.load(model);
        var reranker =
            Reranker.load(
                model, o -> o.dtype(DType.Plain.F32).truncate(true).notices(notices::add))) {
      int cut = 0;
      for (int i = 0; i < golden.get("pairs").size(); i++) {
        String query = golden.get("pairs").get(i).get(0).asText();
        var document = List.of(golden.get("pairs").get(i).get(1).asText());
        float score = reranker.score(query, document)[0];
        assertEquals(golden.get("scores").get(i).floatValue(), score, 1e-5f, "pair " + i);
        if (notices.size() > cut) {
          cut++;
          assertThrows(IllegalArgumentException.class, () -> strict.score(query, document));
        }
      }
      boolean longer = !golden.has("instruction"); // a language model reads longer texts than those
      assertTrue(cut > 0 == longer && notices.size() == cut, cut + " pairs were too long");
      String query = golden.get("pairs").get(0).get(0).asText();
      var two =
          List.of(
              golden.get("pairs").get(1).get(1).asText(),
              golden.get("pairs").get(0).get(1).asText());
      assertArrayEquals(
          new float[] {
            golden.get("scores").get(1).floatValue(), golden.get("scores").get(0).floatValue()
          },
          reranker.score(query, two),
          1e-5f);
    }
  }

  /// A model that reads in both directions does not write; one that writes says nothing of vectors,
  /// and its vocabulary has not what a ranking is asked with.
  @Test
  void languageModelsThatReadAndThatWrite() {
    Path folder = TestData.ROOT.resolve("tests/src/test/resources/encoder/embeddinggemma");
    var refused = assertThrows(CheckpointException.class, () -> Llm.load(folder));
    assertTrue(refused.getMessage().contains("gatun embed"), refused.getMessage());
    Path writes = TestData.pretrained("tiny-llm");
    refused = assertThrows(CheckpointException.class, () -> TextEmbedder.load(writes));
    assertTrue(refused.getMessage().contains("--pooling"), refused.getMessage());
    refused = assertThrows(CheckpointException.class, () -> Reranker.load(writes));
    assertTrue(refused.getMessage().contains("<|im_start|>"), refused.getMessage());
    try (var embedder = TextEmbedder.load(writes, o -> o.pooling(Pooling.LAST))) {
      assertEquals(embedder.dimension(), embedder.embed(List.of("Once upon"))[0].length);
    }
  }

  /// Cosine distance below 1e-5, and no element far off.
  private static void near(String what, Tensor expected, float[][] found) {
    assertEquals(expected.dim(0), found.length);
    for (int i = 0; i < found.length; i++) {
      float[] e = expected.get(i).toFloats();
      assertTrue(distance(e, found[i]) < 1e-5, what + ": text " + i);
      float max = 1;
      for (float v : e) {
        max = Math.max(max, Math.abs(v));
      }
      assertArrayEquals(e, found[i], 2e-5f * max, what + ": text " + i);
    }
  }

  private static double distance(float[] a, float[] b) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < a.length; i++) {
      ab += (double) a[i] * b[i];
      aa += (double) a[i] * a[i];
      bb += (double) b[i] * b[i];
    }
    return 1 - ab / Math.sqrt(aa * bb);
  }

  private static void close(String what, Tensor expected, Tensor found) {
    float[] e = expected.toFloats();
    float max = 1;
    for (float v : e) {
      max = Math.max(max, Math.abs(v));
    }
    assertArrayEquals(e, found.toFloats(), 2e-5f * max, what);
  }

  private static List<String> texts(JsonNode array) {
    var texts = new ArrayList<String>();
    array.forEach(each -> texts.add(each.asText()));
    return texts;
  }

  private static int[] ids(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).mapToInt(JsonNode::asInt).toArray();
  }
}
