package io.gatun.tools.imagine;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.Imagined;
import io.gatun.models.diffusion.ImageParameters;
import io.gatun.models.image.Image;
import io.gatun.tools.console.Texts;
import io.gatun.tools.remote.RemoteServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Map;

/// Has a server make images.
final class RemoteImages {
  private RemoteImages() {}

  /// @param body what is asked for, without the images to start from
  /// @param start the file to start from; null for none
  /// @param mask says where to paint; null for everywhere
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  static Imagined make(
      RemoteServer server, ObjectNode body, Path start, Image mask, StepProgress progress) {
    if (start != null) {
      body.put("image", RemoteServer.dataUrl(Texts.bytes(start)));
    }
    if (mask != null) {
      body.put("mask", RemoteServer.dataUrl(transparent(mask).png(Map.of())));
    }
    var images = new ArrayList<Image>();
    var parameters = new ArrayList<ImageParameters>();
    server.stream(
        start == null ? "v1/images/generations" : "v1/images/edits",
        body,
        event -> {
          if (event.has("step")) {
            progress.show(event.path("step").asInt(), event.path("steps").asInt(), "");
          }
          if (event.path("type").asText().endsWith(".completed")) {
            images.add(Image.read(png(event), Image.MAX_PIXELS));
            parameters.add(ImageParameters.parse(event.path("parameters").asText()));
          }
        });
    if (images.isEmpty()) {
      throw new IllegalArgumentException("the server made no image; mend --server");
    }
    return new Imagined(images, parameters, new double[0], 0, 0);
  }

  private static byte[] png(JsonNode event) {
    try {
      return event.path("b64_json").binaryValue();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// As OpenAI has it: an image that is transparent where to paint.
  private static Image transparent(Image mask) {
    Image rgb = mask.rgb();
    int width = rgb.width();
    int height = rgb.height();
    MemorySegment out = Arena.ofAuto().allocate(4L * width * height);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        double light = .299 * rgb.get(x, y, 0) + .587 * rgb.get(x, y, 1) + .114 * rgb.get(x, y, 2);
        out.set(
            ValueLayout.JAVA_BYTE,
            4L * ((long) y * width + x) + 3,
            (byte) (255 - Math.round(light)));
      }
    }
    return Image.of(width, height, 4, out);
  }
}
