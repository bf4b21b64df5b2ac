package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpServer;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.tests.TestData;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Label Studio's protocol, with the labeling interface and the regions of the examples in
/// label-studio-ml-backend (segment_anything_model), and something that plays Label Studio.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LabelStudioTest {
  private static final Path SCENE = TestData.pretrained("tiny-sam/scene1.png");
  private static final String CONFIG =
      """
      <View>
          <Image name="image" value="$image" zoom="true"/>
          <BrushLabels name="tag" toName="image">
              <Label value="Banana" background="#FF0000"/>
              <Label value="Orange" background="#0d14d3"/>
          </BrushLabels>
          <KeyPointLabels name="tag2" toName="image" smart="true" >
              <Label value="Banana" background="#000000" showInline="true"/>
              <Label value="Orange" background="#000000" showInline="true"/>
          </KeyPointLabels>
      </View>
      """;
  private static final String POINT =
      """
      {"original_width": 256, "original_height": 192, "image_rotation": 0, "value": {"x": 66.40625,
       "y": 46.875, "width": 0.3189792663476874, "labels": ["Banana"], "keypointlabels": ["Banana"]},
       "is_positive": true, "id": "fBWv1t0S2L", "from_name": "tag2", "to_name": "image",
       "type": "keypointlabels", "origin": "manual"}\
      """;
  private static final String BOX =
      """
      {"original_width": 256, "original_height": 192, "type": "rectanglelabels",
       "value": {"x": 50, "y": 12.5, "width": 50, "height": 75, "rectanglelabels": ["Orange"]}}\
      """;

  private static final AtomicInteger FETCHED = new AtomicInteger();
  private static HttpServer studio;
  private static TestServer server;

  @BeforeAll
  static void start() throws IOException {
    studio = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    byte[] scene = Files.readAllBytes(SCENE);
    studio.createContext(
        "/data/upload/scene.png",
        exchange -> {
          boolean known =
              "Token abc".equals(exchange.getRequestHeaders().getFirst("Authorization"));
          FETCHED.incrementAndGet();
          exchange.sendResponseHeaders(known ? 200 : 403, known ? scene.length : -1);
          exchange.getResponseBody().write(known ? scene : new byte[0]);
          exchange.close();
        });
    studio.createContext(
        "/data/moved.png",
        exchange -> {
          exchange.getResponseHeaders().set("Location", "/data/upload/scene.png");
          exchange.sendResponseHeaders(302, -1);
          exchange.close();
        });
    studio.start();
    server =
        new TestServer(o -> o.model(TestData.pretrained("tiny-sam")).labelStudio(home(), "abc"));
  }

  @AfterAll
  static void stop() {
    server.close();
    studio.stop(0);
  }

  private static URI home() {
    return URI.create("http://127.0.0.1:" + studio.getAddress().getPort());
  }

  private static String asked(String image, String config, String... regions) {
    var body = TestServer.JSON.createObjectNode();
    body.putArray("tasks").addObject().put("id", 7).putObject("data").put("image", image);
    body.put("project", "1.1700000000").put("label_config", config).put("model_version", "x");
    var params = body.putObject("params").putNull("login").putNull("password");
    var result = params.putObject("context").putArray("result");
    for (String region : regions) {
      result.add(TestServer.json(region));
    }
    return body.toString();
  }

  private static JsonNode predict(String image, String... regions) {
    return server.ask("/predict", asked(image, CONFIG, regions)).path("results");
  }

  private static String dataUrl() throws IOException {
    return "data:image/png;base64," + Base64.getEncoder().encodeToString(Files.readAllBytes(SCENE));
  }

  private static Mask expected(Prompt prompt) throws IOException {
    try (var sam = Sam.load(TestData.pretrained("tiny-sam"), o -> o.threads(2));
        var encoded = sam.encode(Image.read(Files.readAllBytes(SCENE), 1 << 20))) {
      return encoded.predict(List.of(prompt), prompt.isSinglePoint()).getFirst().best();
    }
  }

  private static void same(Mask mask, JsonNode rle) {
    byte[] rgba = decode(rle);
    assertEquals(4 * 256 * 192, rgba.length);
    for (int i = 0; i < rgba.length; i++) {
      int pixel = i / 4;
      assertEquals(mask.get(pixel % 256, pixel / 256) ? -1 : 0, rgba[i], "byte " + i);
    }
  }

  /// What the format's own decoder does.
  private static byte[] decode(JsonNode rle) {
    var bytes = new byte[rle.size()];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) rle.get(i).intValue();
    }
    var in = new Bits(new ByteArrayInputStream(bytes));
    var out = new byte[in.read(32)];
    int word = in.read(5) + 1;
    int[] sizes = {in.read(4) + 1, in.read(4) + 1, in.read(4) + 1, in.read(4) + 1};
    for (int i = 0; i < out.length; ) {
      boolean run = in.read(1) == 1;
      int end = i + 1 + in.read(sizes[in.read(2)]);
      byte value = run ? (byte) in.read(word) : 0;
      for (; i < end; i++) {
        out[i] = run ? value : (byte) in.read(word);
      }
    }
    return out;
  }

  private static final class Bits {
    private final InputStream in;
    private int last;
    private int left;

    Bits(InputStream in) {
      this.in = in;
    }

    int read(int n) {
      int bits = 0;
      for (int i = 0; i < n; i++) {
        if (left == 0) {
          try {
            last = in.read();
          } catch (IOException e) {
            throw new AssertionError(e);
          }
          assertTrue(last >= 0, "it ends too soon");
          left = 8;
        }
        bits = bits << 1 | last >> --left & 1;
      }
      return bits;
    }
  }

  @Test
  void tellsThatItIsUp() {
    assertEquals(200, server.get("/health").statusCode());
    var schema = TestServer.JSON.createObjectNode().put("project", "1.17").put("schema", CONFIG);
    schema
        .put("hostname", "http://localhost:8080")
        .put("access_token", "t")
        .putNull("extra_params");
    assertEquals(
        "tiny-sam", server.ask("/setup", schema.toString()).path("model_version").asText());
  }

  @Test
  void aPointAndABox() throws IOException {
    var found = predict("/data/upload/scene.png", POINT);
    assertEquals(1, found.size());
    var region = found.at("/0/result/0");
    assertEquals("tag", region.path("from_name").asText());
    assertEquals("image", region.path("to_name").asText());
    assertEquals("brushlabels", region.path("type").asText());
    assertEquals(256, region.path("original_width").asInt());
    assertEquals(192, region.path("original_height").asInt());
    assertEquals("rle", region.at("/value/format").asText());
    assertEquals("[\"Banana\"]", region.at("/value/brushlabels").toString());
    var mask = expected(Prompt.point(170, 90));
    same(mask, region.at("/value/rle"));
    assertEquals(mask.score(), found.at("/0/score").floatValue());
    assertEquals("tiny-sam", found.at("/0/model_version").asText());

    int before = FETCHED.get();
    String negative = POINT.replace("\"is_positive\": true", "\"is_positive\": false");
    var boxed = predict(home() + "/data/upload/scene.png", BOX, negative.replace("66.40625", "90"));
    assertEquals("[\"Banana\"]", boxed.at("/0/result/0/value/brushlabels").toString());
    same(
        expected(Prompt.box(128, 24, 256, 168).withBackground(230.4f, 90)),
        boxed.at("/0/result/0/value/rle"));
    assertEquals(before + 1, FETCHED.get());
    predict("/data/upload/scene.png", POINT, negative.replace("66.40625", "90"));
    assertEquals(before + 1, FETCHED.get(), "a second click does not fetch and encode it again");
  }

  @Test
  void polygonsAndImagesInTheTask() throws IOException {
    String config = CONFIG.replace("BrushLabels", "PolygonLabels");
    var found = server.ask("/predict", asked(dataUrl(), config, BOX)).at("/results/0/result/0");
    assertEquals("polygonlabels", found.path("type").asText());
    assertEquals("[\"Orange\"]", found.at("/value/polygonlabels").toString());
    var points = found.at("/value/points");
    var corners = new double[2 * points.size()];
    for (int i = 0; i < points.size(); i++) {
      corners[2 * i] = points.get(i).get(0).asDouble() * 256 / 100;
      corners[2 * i + 1] = points.get(i).get(1).asDouble() * 192 / 100;
    }
    var drawn = Mask.ofPolygons(256, 192, List.of(corners));
    double iou = drawn.iou(expected(Prompt.box(128, 24, 256, 168)));
    assertTrue(iou > .97, "IoU " + iou);
  }

  @Test
  void nobodyHasClickedYet() {
    assertEquals(0, predict("/data/upload/scene.png").size());
    var body = TestServer.JSON.createObjectNode().put("label_config", CONFIG);
    body.putArray("tasks").addObject().putObject("data").put("image", "/x.png");
    assertEquals(0, server.ask("/predict", body.toString()).path("results").size());
  }

  @Test
  void refusesWhatItWillNotFetchOrDoesNotUnderstand() {
    for (String image :
        new String[] {
          "http://169.254.169.254/latest/meta-data",
          "//127.0.0.1:1/x.png",
          "file:///etc/passwd",
          home().toString().replace("127.0.0.1", "127.0.0.1@evil.example"),
          "s3://bucket/x.png",
          "no address"
        }) {
      String message =
          server.refusal(400, "/predict", asked(image, CONFIG, POINT)).path("message").asText();
      assertTrue(message.contains("Label Studio alone"), message);
    }
    for (String image : new String[] {"/data/moved.png", "/data/none.png"}) {
      server.refusal(502, "/predict", asked(image, CONFIG, POINT));
    }
    for (String config :
        new String[] {
          "<View/>",
          "<View>",
          "no XML",
          CONFIG.replace("BrushLabels", "Labels"),
          "<!DOCTYPE v [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><View>&x;</View>"
        }) {
      server.refusal(400, "/predict", asked("/data/upload/scene.png", config, POINT));
    }
    for (String region :
        new String[] {
          POINT.replace("keypointlabels\",", "brush\","),
          POINT.replace("66.40625", "101"),
          POINT.replace("\"image_rotation\": 0", "\"image_rotation\": 90"),
          "{\"type\": \"keypointlabels\"}",
          "{\"type\": \"keypointlabels\", \"value\": {\"x\": 1, \"y\": 1}}"
        }) {
      server.refusal(400, "/predict", asked("/data/upload/scene.png", CONFIG, region));
    }
  }

  @Test
  void aKeyComesAsAPasswordToo() throws IOException {
    try (var locked =
        new TestServer(o -> o.model(TestData.pretrained("tiny-sam")).apiKey("correct horse"))) {
      for (String[] each : new String[][] {{"correct horse", "200"}, {"wrong horse", "401"}}) {
        String login = "studio:" + each[0];
        var answer =
            locked.get(
                "/v1/models",
                "Authorization",
                "Basic "
                    + Base64.getEncoder().encodeToString(login.getBytes(StandardCharsets.UTF_8)));
        assertEquals(each[1], String.valueOf(answer.statusCode()));
      }
    }
  }
}
