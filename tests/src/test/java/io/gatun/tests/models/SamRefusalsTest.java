package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.tensor.Shape;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/// What Segment Anything says to who asks for what cannot be.
class SamRefusalsTest {
  private static final Path DIR = TestData.pretrained("tiny-sam");

  @TempDir private Path temp;

  @Test
  void anotherModel() {
    assertRefused(
        CheckpointException.class,
        () -> Sam.load(TestData.pretrained("tiny-llm")),
        "no Segment Anything model",
        "image_encoder.patch_embed.proj.weight");
  }

  @Test
  void anotherModelsConfiguration() throws IOException {
    assertRefused(
        CheckpointException.class,
        () -> Sam.load(tinyWith(json -> json.put("model_type", "sam2"), Map.of())),
        "config.json",
        "sam2");
  }

  @Test
  void anotherActivation() {
    assertRefused(
        CheckpointException.class,
        () ->
            Sam.load(
                tinyWith(
                    json -> ((ObjectNode) json.get("image_encoder")).put("act", "relu"), Map.of())),
        "image_encoder",
        "relu",
        "gelu");
  }

  @Test
  void headsThatDoNotDivide() {
    assertRefused(
        CheckpointException.class,
        () ->
            Sam.load(
                tinyWith(
                    json -> ((ObjectNode) json.at("/mask_decoder/transformer")).put("num_heads", 5),
                    Map.of())),
        "mask decoder",
        "5 heads");
  }

  @Test
  void aMissingTensor() {
    String name = "mask_decoder.transformer.layers.1.norm4.weight";
    assertRefused(
        CheckpointException.class,
        () -> Sam.load(tinyWith(json -> {}, Map.of(name, "elsewhere"))),
        name,
        "missing",
        "gatun inspect");
  }

  @Test
  void tensorsThatContradictEachOther() {
    // Windows of 7 x 7 and 16 x 16 tokens in the same model.
    assertRefused(
        CheckpointException.class,
        () ->
            Sam.load(
                tinyWith(
                    json -> {},
                    Map.of(
                        "image_encoder.blocks.0.attn.rel_pos_w",
                        "image_encoder.blocks.1.attn.rel_pos_w",
                        "image_encoder.blocks.1.attn.rel_pos_w",
                        "image_encoder.blocks.0.attn.rel_pos_w"))),
        "image_encoder.blocks.0.attn.rel_pos_w",
        "(31, 32)",
        "(13, 32)");
  }

  @Test
  void anImageSizeBetweenPatches() {
    assertRefused(
        IllegalArgumentException.class, () -> Sam.load(DIR, o -> o.imgSize(250)), "250", "16");
  }

  @Test
  void promptsThatCannotBe() {
    try (var sam = Sam.load(DIR);
        var image = sam.encode(Image.read(DIR.resolve("scene1.png")))) {
      var point = Prompt.point(10, 10);
      assertRefused(
          IllegalArgumentException.class,
          () -> image.decode(List.of(Prompt.point(10, 192)), true),
          "10,192",
          "256 x 192");
      assertRefused(
          IllegalArgumentException.class,
          () -> image.decode(List.of(point, point.withPoint(20, 20)), true),
          "form");
      assertRefused(
          IllegalArgumentException.class,
          () -> image.decode(List.of(point.withMask(new float[256 * 256])), true),
          "65536",
          "64 x 64");
    }
  }

  /// A copy of tiny-sam with another configuration and tensors under other names.
  private Path tinyWith(Consumer<ObjectNode> change, Map<String, String> names) throws IOException {
    var mapper = new ObjectMapper();
    var json = (ObjectNode) mapper.readTree(DIR.resolve("config.json").toFile());
    change.accept(json);
    Path copy = Files.createTempDirectory(temp, "sam");
    mapper.writeValue(copy.resolve("config.json").toFile(), json);
    try (var tiny = Checkpoint.open(DIR.resolve("model.safetensors"))) {
      var writer = new SafetensorsWriter();
      tiny.tensors()
          .forEach(
              (name, t) ->
                  writer.add(
                      names.getOrDefault(name, name),
                      t.dtype(),
                      Shape.of(t.shape().dims()),
                      sink -> sink.write(t.segment())));
      writer.write(copy.resolve("model.safetensors"));
    }
    return copy;
  }

  private static void assertRefused(
      Class<? extends Throwable> type, Executable call, String... words) {
    String message = assertThrows(type, call).getMessage();
    for (String word : words) {
      assertTrue(message.contains(word), message);
    }
  }
}
