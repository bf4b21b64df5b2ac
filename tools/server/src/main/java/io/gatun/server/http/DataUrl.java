package io.gatun.server.http;

import io.gatun.models.image.Image;
import java.util.Base64;

/// Images that are written into a request: `data:image/png;base64,...`.
public final class DataUrl {
  private static final String BASE64 = ";base64";

  private DataUrl() {}

  /// Whether a text is such an image.
  public static boolean is(String url) {
    int comma = url.indexOf(',');
    return url.startsWith("data:image/")
        && comma > 0
        && url.startsWith(BASE64, comma - BASE64.length());
  }

  /// Reads one.
  ///
  /// @param field that it is in
  /// @throws ApiException if it is none
  /// @throws io.gatun.models.image.ImageException if the image is damaged, or too large
  public static Image image(String field, String url, long maxPixels) {
    if (!is(url)) {
      throw ApiException.invalid(
          field,
          "\"%s\" is no data URL (data:image/png;base64,...); images are not fetched from elsewhere"
              .formatted(field));
    }
    try {
      return Image.read(Base64.getDecoder().decode(url.substring(url.indexOf(',') + 1)), maxPixels);
    } catch (IllegalArgumentException e) {
      throw ApiException.invalid(field, "\"%s\" is no base64: %s".formatted(field, e.getMessage()));
    }
  }
}
