package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.ImagineOptions;
import io.gatun.models.StableDiffusion;
import io.gatun.models.diffusion.schedulers.Spacing;
import io.gatun.models.image.Image;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// `/v1/images`, against the same images made without a server.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ImagesApiTest {
  private static final String PATH = "/v1/images/generations";
  private static final String CIRCLE = "'prompt': 'a red circle', 'seed': 7, 'steps': 4";

  private static TestServer server;
  private static StableDiffusion model;

  @BeforeAll
  static void start() {
    server = new TestServer(o -> o.model(TestData.pretrained("tiny-sd")));
    model = StableDiffusion.load(TestData.pretrained("tiny-sd"), o -> o.threads(2));
  }

  @AfterAll
  static void stop() {
    server.close();
    model.close();
  }

  private static byte[] made(Consumer<ImagineOptions> more) {
    var image =
        model.imagine("a red circle", o -> more.accept(o.seed(7).steps(4).guidance(5))).image();
    return pixels(image);
  }

  private static byte[] pixels(Image image) {
    return image.pixels().toArray(ValueLayout.JAVA_BYTE);
  }

  private static byte[] pixels(JsonNode node) throws IOException {
    return pixels(Image.read(node.path("b64_json").binaryValue(), 1 << 20));
  }

  @Test
  void makesWhatTheModelMakes() throws IOException {
    var answer =
        server.ask(
            PATH,
            "{" + CIRCLE + ", 'guidance_scale': 5, 'n': 2, 'scheduler': 'ddim', 'size': '72x64'}");
    var data = answer.path("data");
    assertEquals(2, data.size());
    assertEquals(8, data.at("/1/seed").asLong());
    assertEquals("72x64", data.at("/0/size").asText());
    assertArrayEquals(made(o -> o.batch(2).scheduler("ddim").size(72, 64)), pixels(data.get(0)));
  }

  /// What the command line has; what is left open is the model's own.
  @Test
  void takesTheOptionsOfTheCommandLine() throws IOException {
    String more =
        "'spacing': 'karras', 'guidance_interval': [0, 0.5], 'cache': 0.2, 'hires': 1.5,"
            + " 'hires_strength': 0.6";
    var answer = server.ask(PATH, "{" + CIRCLE + ", " + more + "}");
    var image =
        model
            .imagine(
                "a red circle",
                o ->
                    o.seed(7)
                        .steps(4)
                        .spacing(Spacing.KARRAS)
                        .guidanceInterval(0, 0.5)
                        .cache(0.2)
                        .hires(1.5)
                        .hiresStrength(0.6))
            .image();
    assertEquals("96x96", answer.at("/data/0/size").asText());
    assertArrayEquals(pixels(image), pixels(answer.at("/data/0")));
    var open = server.ask(PATH, "{'prompt': 'a star', 'seed': 3}");
    assertArrayEquals(
        pixels(model.imagine("a star", o -> o.seed(3)).image()), pixels(open.at("/data/0")));
  }

  @Test
  void streamsStepsAndPreviews() throws IOException {
    var events =
        server.events(
            PATH, "{" + CIRCLE + ", 'guidance_scale': 5, 'stream': true, 'partial_images': 1}");
    assertEquals(
        List.of("progress", "partial_image", "progress", "progress", "completed"),
        events.stream()
            .map(event -> event.path("type").asText().replace("image_generation.", ""))
            .toList());
    assertEquals(2, events.get(1).path("step").asInt());
    assertEquals(4, events.get(1).path("steps").asInt());
    assertTrue(pixels(events.get(1)).length > 0);
    assertArrayEquals(made(o -> {}), pixels(events.getLast()));
  }

  @Test
  void editsWhereTheMaskIsTransparent() throws IOException {
    byte[] source = new byte[64 * 64 * 4];
    byte[] grey = new byte[64 * 64];
    for (int i = 0; i < grey.length; i++) {
      boolean paint = i % 64 < 32;
      grey[i] = (byte) (paint ? 255 : 0);
      source[4 * i] = (byte) 200;
      source[4 * i + 3] = (byte) (paint ? 0 : 255);
    }
    Image image = image(4, source);
    var form =
        new MultipartBody()
            .add("prompt", "a red circle")
            .add("seed", "7")
            .add("steps", "4")
            .add("guidance_scale", "5")
            .add("strength", "0.5")
            .add("image[]", "image.png", image.rgb().png(Map.of()))
            .add("mask", "mask.png", image.png(Map.of()));
    var response = server.post("/v1/images/edits", form.publisher(), "Content-Type", form.type());
    assertEquals(200, response.statusCode(), response.body());
    assertArrayEquals(
        made(o -> o.initImage(image.rgb()).mask(image(1, grey)).strength(.5)),
        pixels(TestServer.json(response.body()).at("/data/0")));
  }

  /// A model with a ControlNet wants its picture, beside one to start from or not.
  @Test
  void editsWithAControlImage() throws IOException {
    Path dir = TestData.shared("diffusion-random/sd15_controlnet");
    Image start = Image.read(TestData.pretrained("tiny-sam/scene0.png")).rgb();
    Image edges = Image.read(TestData.pretrained("tiny-sam/scene0.png")).rgb().resize(80, 48);
    var form =
        new MultipartBody()
            .add("prompt", "a red circle")
            .add("seed", "7")
            .add("steps", "4")
            .add("guidance_scale", "5")
            .add("strength", "0.5")
            .add("size", "64x64")
            .add("control_scale", "0.7")
            .add("control_end", "0.6")
            .add("image", "image.png", start.png(Map.of()));
    try (var control = new TestServer(o -> o.model(dir));
        var sd = StableDiffusion.load(dir, o -> o.threads(2))) {
      var without = control.post("/v1/images/edits", form.publisher(), "Content-Type", form.type());
      assertEquals(400, without.statusCode(), without.body());
      form.add("control_image", "edges.png", edges.png(Map.of()));
      var with = control.post("/v1/images/edits", form.publisher(), "Content-Type", form.type());
      assertEquals(200, with.statusCode(), with.body());
      var expected =
          sd.imagine(
                  "a red circle",
                  o ->
                      o.seed(7)
                          .steps(4)
                          .guidance(5)
                          .size(64, 64)
                          .initImage(start)
                          .strength(0.5)
                          .control(edges, 0.7, 0, 0.6))
              .image();
      assertArrayEquals(pixels(expected), pixels(TestServer.json(with.body()).at("/data/0")));
      control.refusal(400, PATH, "{" + CIRCLE + ", 'size': '64x64'}");
    }
  }

  private static Image image(int channels, byte[] pixels) {
    var memory = Arena.ofAuto().allocate(pixels.length);
    MemorySegment.copy(pixels, 0, memory, ValueLayout.JAVA_BYTE, 0, pixels.length);
    return Image.of(64, 64, channels, memory);
  }

  @Test
  void refusesWhatItCannotDo() {
    for (String more :
        List.of(
            "'size': '10000x64'",
            "'size': '2048x2048', 'n': 2",
            "'size': '65x64'",
            "'size': 'large'",
            "'n': 100",
            "'steps': 100000",
            "'scheduler': 'slow'",
            "'spacing': 'wide'",
            "'cache': 2",
            "'guidance_interval': [0.5, 0.5]",
            "'guidance_interval': [0, '1']",
            "'guidance_interval': 1",
            "'hires': 9",
            "'size': '1024x1024', 'hires': 2.5",
            "'hires_strength': 0.5",
            "'control_scale': 1",
            "'control_image': '/etc/passwd'",
            "'control_image': 'file:///etc/passwd'",
            "'lora': 'style.safetensors'",
            "'response_format': 'url'",
            "'style': 'vivid'",
            "'image': 'http://127.0.0.1/'")) {
      server.refusal(400, PATH, "{'prompt': 'a star', " + more + "}");
    }
    server.refusal(400, PATH, "{}");
    server.refusal(400, "/v1/images/edits", "{'prompt': 'a star'}");
    server.refusal(400, "/v1/images/edits", "{'prompt': 'a star', 'image': 'http://127.0.0.1/'}");
  }

  @Test
  void workEndsWhenItsClientGoes() throws IOException, InterruptedException {
    String body =
        "{\"prompt\": \"a star\", \"steps\": 200, \"size\": \"256x256\", \"n\": 4, \"stream\":"
            + " true}";
    var at = server.server().uri();
    try (var socket = new Socket(at.getHost(), at.getPort())) {
      socket
          .getOutputStream()
          .write(
              "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                  .formatted(PATH, body.length(), body)
                  .getBytes(StandardCharsets.ISO_8859_1));
      assertTrue(socket.getInputStream().read() >= 0); // the first step is done
    }
    String running = "gatun_requests_running{path=\"" + PATH + "\"} ";
    long began = System.nanoTime();
    while (!server.get("/metrics").body().contains(running + "0")) {
      assertTrue(System.nanoTime() - began < 20_000_000_000L, "the work goes on");
      Thread.sleep(50);
    }
  }
}
