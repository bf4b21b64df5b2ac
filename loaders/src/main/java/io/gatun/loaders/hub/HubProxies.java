package io.gatun.loaders.hub;

import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/// The proxies that the environment names, as curl reads it: `HTTPS_PROXY`, `HTTP_PROXY` or
/// `ALL_PROXY`, each in small letters too, with `NAME:PASSWORD@` if the proxy wants that, but not
/// for the hosts of `NO_PROXY`. Where it names none, Java's own settings hold (`https.proxyHost`).
final class HubProxies extends ProxySelector {
  private static final int CURLS_PORT = 1080;
  private static final Pattern ADDRESS = Pattern.compile("[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*");

  /// Java tells no proxy a password in the clear before an encrypted connection, unless this says
  /// otherwise; here the user has written the password down for just that.
  private static final String NO_SCHEMES = "jdk.http.auth.tunneling.disabledSchemes";

  /// A proxy, and the header that it wants or null.
  private record Named(InetSocketAddress address, String authorization) {}

  private final Named http = named("http");
  private final Named https = named("https");
  private final String exceptions = HubSettings.get("no_proxy", "NO_PROXY");

  HubProxies() {
    if (https != null && https.authorization != null && System.getProperty(NO_SCHEMES) == null) {
      System.setProperty(NO_SCHEMES, "");
    }
  }

  /// @throws CheckpointException if a variable names no proxy that Java knows
  private static Named named(String scheme) {
    if (System.getProperty(scheme + ".proxyHost") != null) {
      return null;
    }
    String upper = scheme.toUpperCase(Locale.ROOT);
    for (String variable : List.of(scheme + "_proxy", upper + "_PROXY", "all_proxy", "ALL_PROXY")) {
      String value = HubSettings.get(variable);
      if (value != null) {
        return parse(variable, value);
      }
    }
    return null;
  }

  private static Named parse(String variable, String value) {
    try {
      var uri = URI.create(value.contains("://") ? value : "http://" + value);
      if (uri.getHost() != null && "http".equalsIgnoreCase(uri.getScheme())) {
        int port = uri.getPort() < 0 ? CURLS_PORT : uri.getPort();
        String user = uri.getUserInfo();
        byte[] secret = user == null ? null : user.getBytes(StandardCharsets.UTF_8);
        return new Named(
            InetSocketAddress.createUnresolved(uri.getHost(), port),
            secret == null ? null : "Basic " + Base64.getEncoder().encodeToString(secret));
      }
    } catch (IllegalArgumentException e) {
      // Not said with the value: it may have a password.
    }
    throw new CheckpointException(
        variable
            + " names no proxy that Java can speak with; need http://HOST:PORT or"
            + " http://NAME:PASSWORD@HOST:PORT, with special characters of a password as %40"
            + " (proxies by https and SOCKS do not serve)");
  }

  /// The proxy on the way to an address, or null.
  private Named of(URI uri) {
    var named = "https".equalsIgnoreCase(uri.getScheme()) ? https : http;
    return named == null || isException(uri) ? null : named;
  }

  /// What the proxy on the way wants in `Proxy-Authorization`, or null.
  String authorization(URI uri) {
    var named = of(uri);
    return named == null ? null : named.authorization;
  }

  /// `HOST:PORT` of the proxy on the way, or null without one.
  String name(URI uri) {
    var named = of(uri);
    return named == null ? null : named.address.getHostString() + ":" + named.address.getPort();
  }

  @Override
  public List<Proxy> select(URI uri) {
    var named = of(uri);
    if (named != null) {
      return List.of(
          new Proxy(
              Proxy.Type.HTTP,
              new InetSocketAddress(named.address.getHostString(), named.address.getPort())));
    }
    var java = ProxySelector.getDefault();
    return java == null || isException(uri) ? List.of(Proxy.NO_PROXY) : java.select(uri);
  }

  @Override
  public void connectFailed(URI uri, SocketAddress address, IOException e) {
    // Who asks is told.
  }

  private boolean isException(URI uri) {
    if (exceptions == null) {
      return false;
    }
    String host = uri.getHost().replaceAll("^\\[|\\]$", "").toLowerCase(Locale.ROOT);
    for (String entry : exceptions.toLowerCase(Locale.ROOT).split("[,\\s]+", -1)) {
      if (matches(host, entry.replaceAll("^\\[|\\]$", ""))) {
        return true;
      }
    }
    return false;
  }

  /// `*`, an address, a range of them as `10.0.0.0/8`, or a domain with all that is below it.
  private static boolean matches(String host, String entry) {
    if (entry.equals("*")) {
      return true;
    }
    if (ADDRESS.matcher(host).matches()) {
      int slash = entry.indexOf('/');
      return slash < 0
          ? host.equals(entry)
          : isWithin(host, entry.substring(0, slash), entry.substring(slash + 1));
    }
    String domain = entry.replaceFirst("^\\*?\\.", "");
    return !domain.isEmpty() && (host.equals(domain) || host.endsWith("." + domain));
  }

  private static boolean isWithin(String host, String network, String bits) {
    if (!ADDRESS.matcher(network).matches() || !bits.matches("\\d{1,3}")) {
      return false;
    }
    try {
      byte[] one = InetAddress.ofLiteral(host).getAddress();
      byte[] other = InetAddress.ofLiteral(network).getAddress();
      int count = Integer.parseInt(bits);
      if (one.length != other.length || count > 8 * one.length) {
        return false;
      }
      for (int i = 0; i < count; i++) {
        if (((one[i / 8] ^ other[i / 8]) >> (7 - i % 8) & 1) != 0) {
          return false;
        }
      }
      return true;
    } catch (IllegalArgumentException e) {
      return false; // no address
    }
  }
}
