package io.gatun.server.labelstudio;

import io.gatun.models.image.Image;
import io.gatun.server.http.ApiException;
import io.gatun.server.http.DataUrl;
import io.gatun.server.http.Settings;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Objects;
import org.eclipse.jetty.http.HttpStatus;

/// The images of tasks: data URLs, and files of the one Label Studio that this server was told of.
/// Nothing is fetched from elsewhere, whatever a request names.
final class TaskImages {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final URI home;
  private final String key;
  private final long byteLimit;
  private final long pixelLimit;
  private final HttpClient client =
      HttpClient.newBuilder()
          .connectTimeout(PATIENCE)
          .followRedirects(HttpClient.Redirect.NEVER)
          .build();

  TaskImages(Settings settings) {
    home = settings.labelStudio;
    key = settings.labelStudioKey;
    byteLimit = settings.bodyLimit;
    pixelLimit = settings.pixelLimit;
  }

  /// Reads an image.
  ///
  /// @param url as the task has it: a data URL, a URL, or a path at Label Studio
  /// @throws ApiException if it is elsewhere, or cannot be had
  /// @throws io.gatun.models.image.ImageException if it is no image, damaged, or too large
  Image read(String url) throws InterruptedException {
    return DataUrl.is(url)
        ? DataUrl.image("tasks", url, pixelLimit)
        : Image.read(fetch(address(url)), pixelLimit);
  }

  private URI address(String url) {
    URI at = null;
    try {
      at = home == null ? null : home.resolve(url);
    } catch (IllegalArgumentException e) {
      // No address at all.
    }
    if (at == null
        || !Objects.equals(at.getScheme(), home.getScheme())
        || !Objects.equals(at.getAuthority(), home.getAuthority())) {
      throw ApiException.invalid(
          "tasks",
          "the image is \"%s\"; images are taken from Label Studio alone, %s"
              .formatted(
                  url.length() > 100 ? url.substring(0, 100) + "..." : url,
                  home == null
                      ? "which this server does not know: start it with --label-studio URL"
                      : home + ": upload them there"));
    }
    return at;
  }

  private byte[] fetch(URI at) throws InterruptedException {
    var request = HttpRequest.newBuilder(at).timeout(PATIENCE).GET();
    if (key != null) {
      request.header("Authorization", "Token " + key);
    }
    String what;
    try {
      var answer =
          client.send(
              request.build(), BodyHandlers.limiting(BodyHandlers.ofByteArray(), byteLimit));
      if (answer.statusCode() == HttpStatus.OK_200) {
        return answer.body();
      }
      what =
          switch (answer.statusCode()) {
            case 401, 403 -> "refuses it: set LABEL_STUDIO_API_KEY to an access token of yours";
            case 301, 302, 303, 307, 308 -> "sends elsewhere for it, which is not followed";
            default -> "answers with status " + answer.statusCode();
          };
    } catch (IOException e) {
      what = "does not give it: " + e.getMessage();
    }
    throw ApiException.of(
        HttpStatus.BAD_GATEWAY_502,
        "image_not_fetched",
        "tasks",
        "the image %s: Label Studio %s".formatted(at, what));
  }
}
