package io.gatun.server.web;

import io.gatun.server.http.Call;
import java.io.IOException;
import java.io.InputStream;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Pattern;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;

/// The page at `/` and what belongs to it: resources of this module and one webjar, and nothing
/// else.
public final class Page {
  private static final Pattern NAME =
      Pattern.compile("/[a-zA-Z0-9_-]+(/[a-zA-Z0-9_-]+)*\\.[a-z0-9.]+");

  private static final Map<String, String> TYPES =
      Map.of(
          "html", "text/html; charset=utf-8",
          "js", "text/javascript; charset=utf-8",
          "mjs", "text/javascript; charset=utf-8",
          "css", "text/css; charset=utf-8",
          "json", Call.JSON_TYPE,
          "svg", "image/svg+xml",
          "png", "image/png",
          "ico", "image/x-icon",
          "txt", "text/plain; charset=utf-8",
          "woff2", "font/woff2");

  /// What the page may load: its own files, and images that it made itself.
  private static final String POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
          + " font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none';"
          + " form-action 'none'; frame-ancestors 'none';"
          // No script may make HTML from a string, so what a model writes cannot become any.
          + " require-trusted-types-for 'script'; trusted-types 'none'";

  /// The reader of Markdown, which is a webjar.
  private static final String MARKED = "/lib/marked.js";

  private Page() {}

  /// Answers with a file of the page.
  ///
  /// @return whether there is such a file
  public static boolean send(Call call) throws IOException {
    String path = call.path().equals("/") ? "/index.html" : call.path();
    String type = TYPES.get(path.substring(path.lastIndexOf('.') + 1));
    if (type == null || !NAME.matcher(path).matches()) {
      return false;
    }
    byte[] bytes;
    try (var in = path.equals(MARKED) ? marked() : Page.class.getResourceAsStream("page" + path)) {
      if (in == null) {
        return false;
      }
      bytes = in.readAllBytes();
    }
    call.response().getHeaders().put("Content-Security-Policy", POLICY);
    call.response().getHeaders().put(HttpHeader.CACHE_CONTROL, "no-cache");
    call.send(HttpStatus.OK_200, type, bytes);
    return true;
  }

  /// A webjar's path has its version in it, which Maven's properties in the jar tell.
  private static InputStream marked() throws IOException {
    var loader = Page.class.getClassLoader();
    try (var in =
        loader.getResourceAsStream("META-INF/maven/org.webjars.npm/marked/pom.properties")) {
      if (in == null) {
        throw new IllegalStateException("org.webjars.npm:marked is not on the class path");
      }
      var properties = new Properties();
      properties.load(in);
      return loader.getResourceAsStream(
          "META-INF/resources/webjars/marked/%s/lib/marked.esm.js"
              .formatted(properties.getProperty("version")));
    }
  }
}
