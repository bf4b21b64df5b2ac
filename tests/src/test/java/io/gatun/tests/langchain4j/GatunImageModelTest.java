package io.gatun.tests.langchain4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.langchain4j.data.image.Image;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import io.gatun.langchain4j.GatunImageModel;
import io.gatun.models.StableDiffusion;
import io.gatun.tests.TestData;
import java.util.Base64;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GatunImageModelTest {
  @Test
  void picturesAreTheModels() {
    var path = TestData.pretrained("tiny-sd");
    try (var sd = StableDiffusion.load(path);
        var model =
            GatunImageModel.builder()
                .model(path.toString())
                .options(o -> o.seed(7).steps(3).strength(0.9))
                .build()) {
      var made = sd.imagine("a red circle", o -> o.seed(7).steps(3)).image();
      Image image = model.generate("a red circle").content();
      assertEquals("image/png", image.mimeType());
      assertArrayEquals(made.png(Map.of()), Base64.getDecoder().decode(image.base64Data()));
      assertEquals(2, model.generate("a red circle", 2).content().size());
      var changed =
          sd.imagine("a blue square", o -> o.seed(7).steps(3).strength(0.9).initImage(made))
              .image();
      assertArrayEquals(
          changed.png(Map.of()),
          Base64.getDecoder().decode(model.edit(image, "a blue square").content().base64Data()));
      var remote = Image.builder().url("https://example.com/a.png").build();
      assertThrows(UnsupportedFeatureException.class, () -> model.edit(remote, "a blue square"));
      var broken = Image.builder().base64Data("AAAA").mimeType("image/png").build();
      assertThrows(InvalidRequestException.class, () -> model.edit(broken, "a blue square"));
      assertThrows(InvalidRequestException.class, () -> model.generate("a red circle", 0));
    }
  }
}
