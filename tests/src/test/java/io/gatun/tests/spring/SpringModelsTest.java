package io.gatun.tests.spring;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.StableDiffusion;
import io.gatun.models.TextEmbedder;
import io.gatun.spring.GatunEmbeddingModel;
import io.gatun.spring.GatunImageModel;
import io.gatun.spring.GatunImageOptions;
import io.gatun.tests.TestData;
import java.net.URI;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.springframework.ai.content.Media;
import org.springframework.ai.document.Document;
import org.springframework.ai.document.MetadataMode;
import org.springframework.ai.embedding.EmbeddingOptions;
import org.springframework.ai.embedding.EmbeddingRequest;
import org.springframework.ai.embedding.TokenCountBatchingStrategy;
import org.springframework.ai.image.ImageMessage;
import org.springframework.ai.image.ImageOptionsBuilder;
import org.springframework.ai.image.ImagePrompt;
import org.springframework.util.MimeTypeUtils;

/// Spring AI's embedding and image models.
class SpringModelsTest {
  private static final String TEXT = "Water that falls.";

  @Test
  void vectorsAreTheModels() {
    var path =
        TestData.complete(
            TestData.ROOT.resolve("tests/src/test/resources/encoder/qwen3-embedding"));
    try (var embedder = TextEmbedder.load(path);
        var model = GatunEmbeddingModel.builder().model(path.toString()).build()) {
      assertTrue(embedder.prompts().containsKey("query"), embedder.prompts().toString());
      assertEquals(embedder.dimension(), model.dimensions());
      float[] query = embedder.embed(List.of(TEXT), "query")[0];
      assertArrayEquals(query, model.embed(TEXT));
      var document = new Document(TEXT);
      assertArrayEquals(embedder.embed(List.of(TEXT), "document")[0], model.embed(document));
      var batched =
          model.embed(List.of(document, document), null, new TokenCountBatchingStrategy());
      var titled = new Document(TEXT, Map.of("title", "Rain"));
      assertArrayEquals(model.embed(document), model.embed(titled));
      try (var all =
          GatunEmbeddingModel.builder()
              .model(path.toString())
              .metadataMode(MetadataMode.EMBED)
              .build()) {
        assertArrayEquals(all.embed(new Document("title: Rain\n\n" + TEXT)), all.embed(titled));
      }
      assertEquals(2, batched.size());
      assertArrayEquals(model.embed(document), batched.get(1), 1e-5f);
      assertArrayEquals(
          embedder.embed(List.of(TEXT), embedder.defaultPrompt())[0],
          model.embed(List.of(TEXT)).getFirst());
      var response = model.embedForResponse(List.of(TEXT, TEXT));
      assertTrue(response.getMetadata().getUsage().getPromptTokens() > 4);
      assertEquals(1, response.getResults().get(1).getIndex());
      var other = EmbeddingOptions.builder().model("other").build();
      assertThrows(
          IllegalArgumentException.class,
          () -> model.call(new EmbeddingRequest(List.of(TEXT), other)));
      var many = EmbeddingOptions.builder().dimensions(100_000).build();
      assertThrows(
          IllegalArgumentException.class,
          () -> model.call(new EmbeddingRequest(List.of(TEXT), many)));
    }
  }

  @Test
  void picturesAreTheModels() {
    var path = TestData.pretrained("tiny-sd");
    var options = GatunImageOptions.DEFAULT.withSeed(7).withSteps(3).withStrength(0.9);
    try (var sd = StableDiffusion.load(path);
        var model = GatunImageModel.builder().model(path.toString()).options(options).build()) {
      var made = sd.imagine("a red circle", o -> o.seed(7).steps(3)).image();
      byte[] png = made.png(Map.of());
      assertArrayEquals(png, png(model, new ImagePrompt("a red circle")));
      var two = new ImagePrompt("a red circle", ImageOptionsBuilder.builder().n(2).build());
      assertEquals(2, model.call(two).getResults().size());
      var changed =
          sd.imagine("a blue square", o -> o.seed(7).steps(3).strength(0.9).initImage(made))
              .image();
      var media = new Media(MimeTypeUtils.IMAGE_PNG, resource(png));
      var message = new ImageMessage("a blue square", null, List.of(media), Map.of());
      assertArrayEquals(changed.png(Map.of()), png(model, new ImagePrompt(List.of(message))));
      var remote = new Media(MimeTypeUtils.IMAGE_PNG, URI.create("https://example.com/a.png"));
      for (var refused :
          Map.of(
                  "nothing is fetched",
                      new ImagePrompt(
                          List.of(new ImageMessage("a", null, List.of(remote), Map.of()))),
                  "need one",
                      new ImagePrompt(List.of(new ImageMessage("a"), new ImageMessage("b"))),
                  "weights", new ImagePrompt(List.of(new ImageMessage("a", 0.5f))),
                  "style",
                      new ImagePrompt("a", ImageOptionsBuilder.builder().style("vivid").build()),
                  "b64_json",
                      new ImagePrompt(
                          "a", ImageOptionsBuilder.builder().responseFormat("url").build()))
              .entrySet()) {
        var e = assertThrows(IllegalArgumentException.class, () -> model.call(refused.getValue()));
        assertTrue(e.getMessage().contains(refused.getKey()), e.getMessage());
      }
    }
  }

  private static org.springframework.core.io.Resource resource(byte[] data) {
    return new org.springframework.core.io.ByteArrayResource(data);
  }

  private static byte[] png(GatunImageModel model, ImagePrompt prompt) {
    return Base64.getDecoder().decode(model.call(prompt).getResult().getOutput().getB64Json());
  }
}
