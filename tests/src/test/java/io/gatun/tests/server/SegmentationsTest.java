package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Rle;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.amg.SamAutomaticMaskGenerator;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// `/v1/segmentations`, against the same questions asked without a server.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SegmentationsTest {
  private static final String PATH = "/v1/segmentations";
  private static final Path SCENE = TestData.pretrained("tiny-sam/scene1.png");

  private static TestServer server;

  @BeforeAll
  static void start() {
    server = new TestServer(o -> o.model(TestData.pretrained("tiny-sam")));
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static String dataUrl() throws IOException {
    return "data:image/png;base64," + Base64.getEncoder().encodeToString(Files.readAllBytes(SCENE));
  }

  private static String upload() throws IOException {
    var answer = server.ask(PATH, "{'image': '" + dataUrl() + "'}");
    assertEquals(256, answer.path("width").asInt());
    assertEquals(192, answer.path("height").asInt());
    assertEquals(0, answer.path("masks").size());
    return answer.path("image_id").asText();
  }

  private static void same(List<Mask> expected, JsonNode found) throws IOException {
    assertEquals(expected.size(), found.size());
    for (int i = 0; i < expected.size(); i++) {
      var mask = expected.get(i);
      var node = found.get(i);
      assertEquals(mask.score(), node.path("score").floatValue());
      assertEquals(mask.area(), node.path("area").intValue());
      assertEquals(mask.rle().compressed(), node.at("/rle/counts").asText());
      var png = Image.read(node.path("png").binaryValue(), 1 << 20);
      assertArrayEquals(
          mask.toImage().pixels().toArray(ValueLayout.JAVA_BYTE),
          png.pixels().toArray(ValueLayout.JAVA_BYTE));
    }
  }

  @Test
  void answersByIdWhatTheModelAnswers() throws IOException {
    String id = upload();
    try (var sam = Sam.load(TestData.pretrained("tiny-sam"), o -> o.threads(2));
        var encoded = sam.encode(Image.read(SCENE))) {
      var three =
          encoded.predict(Prompt.point(100, 90)).masks().stream()
              .sorted(Comparator.comparing(Mask::score).reversed())
              .toList();
      same(
          three,
          server
              .ask(PATH, "{'image_id': '" + id + "', 'points': [{'x': 100, 'y': 90}]}")
              .path("masks"));
      var prompt = Prompt.point(100, 90).withBackground(5, 5).withBox(40, 30, 180, 150);
      same(
          encoded.predict(List.of(prompt), false).getFirst().masks(),
          server
              .ask(
                  PATH,
                  "{'image_id': '"
                      + id
                      + "', 'points': [{'x': 100, 'y': 90, 'label': 1}, {'x': 5, 'y': 5, 'label':"
                      + " 0}], 'box': [40, 30, 180, 150]}")
              .path("masks"));
      var all =
          new SamAutomaticMaskGenerator(sam, o -> o.pointsPerSide(8)).generate(Image.read(SCENE));
      assertTrue(all.size() > 1, all.toString());
      same(
          all.stream().map(found -> found.mask()).toList(),
          server
              .ask(PATH, "{'image_id': '" + id + "', 'everything': {'points_per_side': 8}}")
              .path("masks"));
    }
  }

  @Test
  void polygonsAreTheLinesAroundTheMask() throws IOException {
    var node =
        server
            .ask(
                PATH,
                "{'image': '"
                    + dataUrl()
                    + "', 'box': [40, 30, 180, 150], 'formats': ['polygons', 'rle']}")
            .at("/masks/0");
    assertFalse(node.has("png"));
    var polygons = Rle.parse(node.at("/rle/counts").asText(), 256, 192).toMask(0).polygons();
    assertEquals(polygons.size(), node.path("polygons").size());
    for (int i = 0; i < polygons.size(); i++) {
      var found = node.path("polygons").get(i);
      assertRing(polygons.get(i).outer(), found.path("outer"));
      assertEquals(polygons.get(i).holes().size(), found.path("holes").size());
      for (int j = 0; j < found.path("holes").size(); j++) {
        assertRing(polygons.get(i).holes().get(j), found.path("holes").get(j));
      }
    }
  }

  private static void assertRing(int[] expected, JsonNode found) {
    assertEquals(expected.length, 2 * found.size());
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], found.get(i / 2).get(i % 2).asInt());
    }
  }

  @Test
  void formsAreReadAsJsonIs() throws IOException {
    var expected =
        server.ask(PATH, "{'image': '" + dataUrl() + "', 'boxes': [[1, 1, 90, 90]]}").path("masks");
    var form =
        new MultipartBody()
            .add("boxes", "[[1, 1, 90, 90]]")
            .add("image", "scene.png", Files.readAllBytes(SCENE));
    var response = server.post(PATH, form.publisher(), "Content-Type", form.type());
    assertEquals(200, response.statusCode(), response.body());
    assertEquals(expected, TestServer.json(response.body()).path("masks"));
  }

  @Test
  void refusesWhatItCannotDo() throws IOException {
    String id = upload();
    assertEquals(
        "image_not_found",
        server
            .refusal(404, PATH, "{'image_id': 'x', 'points': [{'x': 1, 'y': 1}]}")
            .path("code")
            .asText());
    for (String body :
        List.of(
            "{}",
            "{'image': 'http://127.0.0.1/x.png'}",
            "{'image': 'file:///etc/passwd'}",
            "{'image': 'data:image/png;base64,aGVsbG8='}",
            "{'image': 'data:image/png;base64,*'}",
            "{'image_id': '" + id + "', 'image': '" + dataUrl() + "'}",
            "{'image_id': '" + id + "', 'points': [{'x': 1000, 'y': 1}]}",
            "{'image_id': '" + id + "', 'points': [{'x': 1}]}",
            "{'image_id': '" + id + "', 'box': [1, 2, 3]}",
            "{'image_id': '" + id + "', 'box': [9, 9, 3, 3]}",
            "{'image_id': '" + id + "', 'everything': true, 'box': [1, 1, 9, 9]}",
            "{'image_id': '" + id + "', 'everything': {'points_per_side': 1000}}",
            "{'image_id': '" + id + "', 'formats': ['svg']}",
            "{'image_id': '" + id + "', 'everything': {'crop_overlap_ratio': 2}}",
            "{'image_id': '" + id + "', 'everything': true, 'mask_input': '" + dataUrl() + "'}",
            "{'image_id': '" + id + "', 'polygon': true}")) {
      server.refusal(400, PATH, body);
    }
  }

  @Test
  void imagesThatWereNotUsedForLongestGo() throws IOException {
    String first = upload();
    String kept = upload();
    for (int i = 0; i < 63; i++) {
      upload();
      if (i % 20 == 0) {
        server.ask(PATH, "{'image_id': '" + kept + "'}");
      }
    }
    server.ask(PATH, "{'image_id': '" + kept + "'}");
    server.refusal(404, PATH, "{'image_id': '" + first + "'}");
  }
}
