package io.gatun.server.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;

/// Who may ask: whoever names this server as it is called (else a web page elsewhere could have its
/// own name lead here), comes from no other site's page, and has a key if one is needed.
public final class Guard {
  private static final Pattern ADDRESS = Pattern.compile("[0-9.]+|\\[[0-9a-fA-F:.]+\\]");

  private final Set<String> names = new HashSet<>(Set.of("localhost"));
  private final List<byte[]> keys;
  private final List<String> origins;

  public Guard(Settings settings) {
    keys = settings.keys.stream().map(Guard::hash).toList();
    origins = List.copyOf(settings.origins);
    names.add(settings.host.toLowerCase(Locale.ROOT));
    settings.hosts.forEach(name -> names.add(name.toLowerCase(Locale.ROOT)));
    try {
      names.add(InetAddress.getLocalHost().getHostName().toLowerCase(Locale.ROOT));
    } catch (UnknownHostException e) {
      // A machine without a name.
    }
  }

  /// Makes sure that not everyone is let in by mistake.
  ///
  /// @throws IllegalArgumentException if others than this machine could use the server unasked
  public static void check(Settings settings) {
    boolean loopback;
    try {
      loopback = InetAddress.getByName(settings.host).isLoopbackAddress();
    } catch (UnknownHostException e) {
      throw new IllegalArgumentException("there is no address \"%s\"".formatted(settings.host), e);
    }
    if (!loopback && settings.keys.isEmpty() && !settings.open) {
      throw new IllegalArgumentException(
          "other machines reach %s: name a file of keys with --api-key-file, or let everyone in with --open"
              .formatted(settings.host));
    }
  }

  /// @param needsKey whether a key is needed if there are any
  /// @throws ApiException if the request is refused
  void admit(Request request, boolean needsKey) {
    String host = request.getHeaders().get(HttpHeader.HOST);
    if (host == null || !knows(host)) {
      throw ApiException.of(
          HttpStatus.FORBIDDEN_403,
          "host_not_allowed",
          "this server does not go by the name \"%s\"; use its address, or start it with --host-name"
              .formatted(host));
    }
    String origin = request.getHeaders().get(HttpHeader.ORIGIN);
    String site = request.getHeaders().get("Sec-Fetch-Site");
    if (origin != null
        ? !isOwn(origin, host)
        : "cross-site".equals(site) || "same-site".equals(site)) {
      throw ApiException.of(
          HttpStatus.FORBIDDEN_403,
          "origin_not_allowed",
          "requests from the pages of other sites are refused; of a proxy's name tell it with"
              + " --origin");
    }
    if (needsKey && !keys.isEmpty() && !hasKey(request)) {
      throw ApiException.of(
          HttpStatus.UNAUTHORIZED_401,
          "invalid_api_key",
          "a key is needed: send it as Authorization: Bearer KEY");
    }
  }

  /// The page's scheme is another than this server's where a proxy before it speaks HTTPS.
  private boolean isOwn(String origin, String host) {
    return origin.equalsIgnoreCase("http://" + host)
        || origin.equalsIgnoreCase("https://" + host)
        || origins.stream().anyMatch(origin::equalsIgnoreCase);
  }

  private boolean knows(String host) {
    String name = host.replaceFirst(":\\d*$", "").toLowerCase(Locale.ROOT);
    return names.contains(name) || ADDRESS.matcher(name).matches();
  }

  private boolean hasKey(Request request) {
    String given = given(request);
    if (given == null) {
      return false;
    }
    byte[] hash = hash(given);
    boolean found = false;
    // All are compared, whichever it is.
    for (byte[] key : keys) {
      found |= MessageDigest.isEqual(key, hash);
    }
    return found;
  }

  /// As `Bearer KEY`, or as the password of clients that know only those; null for none.
  private static String given(Request request) {
    String header = request.getHeaders().get(HttpHeader.AUTHORIZATION);
    if (header == null) {
      return null;
    }
    if (header.regionMatches(true, 0, "Bearer ", 0, 7)) {
      return header.substring(7).strip();
    }
    if (header.regionMatches(true, 0, "Basic ", 0, 6)) {
      try {
        var login = new String(Base64.getDecoder().decode(header.substring(6).strip()), UTF_8);
        return login.substring(login.indexOf(':') + 1);
      } catch (IllegalArgumentException e) {
        return null;
      }
    }
    return null;
  }

  /// Of the same length for all.
  private static byte[] hash(String key) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(key.getBytes(UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
