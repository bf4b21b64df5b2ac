package io.gatun.tests.hub;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.hub.Hub;
import io.gatun.tests.Processes;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Proxies, as the environment names them for curl.
class ProxyTest {
  private static final String NAME = "org/model";
  private static final String FILE = "model-Q8_0.gguf";
  private static final String DEAD = "http://127.0.0.1:1";

  private final FakeHub hub = new FakeHub();
  private final byte[] weights = new byte[1000];
  @TempDir private Path cache;

  @AfterEach
  void close() {
    for (String name : List.of("http_proxy", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")) {
      System.clearProperty(name);
    }
    hub.close();
  }

  private Path pull(URI endpoint) {
    hub.commit(NAME, Map.of(FILE, weights));
    return Hub.pull(
        NAME,
        o -> o.cache(cache).endpoint(endpoint).token("hf_t").tries(2).pause(Duration.ofMillis(1)));
  }

  private String refusal() {
    return assertThrows(CheckpointException.class, () -> pull(hub.endpoint())).getMessage();
  }

  /// The hub plays the proxy, too: no other server knows the host.
  @Test
  void aProxyIsAskedWithItsPasswordAndOthersAreNot() throws IOException {
    System.setProperty(
        "http_proxy", "http://na%40me:pass%3Aword@" + hub.endpoint().getAuthority() + "/");
    System.setProperty("NO_PROXY", "example.org, 127.0.0.1");
    Path file = pull(URI.create("http://hub.invalid"));
    assertArrayEquals(weights, Files.readAllBytes(file));
    String secret =
        "Basic " + java.util.Base64.getEncoder().encodeToString("na@me:pass:word".getBytes(UTF_8));
    for (var asked : hub.asked) {
      boolean isHub = asked.server().equals("hub");
      assertEquals(isHub ? secret : null, asked.proxyAuthorization());
      assertEquals(isHub ? "Bearer hf_t" : null, asked.token());
    }
    assertEquals(4, hub.asked.size());
  }

  @Test
  void whatNoProxyNamesIsAskedDirectly() {
    System.setProperty("ALL_PROXY", DEAD);
    for (String direct :
        List.of("*", "127.0.0.1", "10.0.0.0/8 127.0.0.0/9", "x.org,127.0.0.1/32")) {
      System.setProperty("NO_PROXY", direct);
      assertTrue(Files.exists(pull(hub.endpoint())), direct);
    }
    var local = URI.create("http://localhost:" + hub.endpoint().getPort());
    for (String direct : List.of("LOCALHOST,127.0.0.1", ".localhost 127.0.0.1")) {
      System.setProperty("NO_PROXY", direct);
      assertTrue(Files.exists(pull(local)), direct);
    }
    for (String not : List.of("127.0.0.2", "128.0.0.0/9", "7.0.0.1", "0.0.1", "127.0.0.0/x")) {
      System.setProperty("NO_PROXY", not);
      assertTrue(refusal().contains("the proxy 127.0.0.1:1 cannot be reached"), not);
    }
  }

  @Test
  void whatIsNoProxyIsRefusedWithoutItsPassword() {
    for (String wrong : List.of("socks5://secret@h:1", "https://secret@h", "http://a:sec ret@h")) {
      System.setProperty("HTTP_PROXY", wrong);
      String message = refusal();
      assertTrue(message.startsWith("HTTP_PROXY names no proxy"), message);
      assertTrue(!message.contains("secret") && !message.contains("sec ret"), message);
    }
    System.clearProperty("HTTP_PROXY");
    hub.trouble("/revision/main", FakeHub.status(407));
    assertTrue(refusal().contains("HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT"));
  }

  /// A process of its own: Java reads once whether a tunnel's proxy may be told a password.
  @Test
  void anEncryptedConnectionIsATunnelThatThePasswordOpens() throws Exception {
    try (var proxy = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      Process process =
          Processes.java(
                  PullProcessTest.Other.class,
                  List.of("-Dhttps_proxy=name:word@127.0.0.1:" + proxy.getLocalPort()),
                  cache.toString(),
                  "https://hub.invalid")
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      try {
        proxy.setSoTimeout(60_000);
        var lines = new ArrayList<String>();
        try (var socket = proxy.accept();
            var in = new BufferedReader(new InputStreamReader(socket.getInputStream(), UTF_8))) {
          for (String line = in.readLine(); !line.isEmpty(); line = in.readLine()) {
            lines.add(line);
          }
        }
        assertEquals("CONNECT hub.invalid:443 HTTP/1.1", lines.getFirst());
        assertTrue(lines.contains("Proxy-Authorization: Basic bmFtZTp3b3Jk"), lines.toString());
        assertTrue(lines.stream().noneMatch(l -> l.contains("Bearer")), lines.toString());
      } finally {
        process.destroyForcibly().waitFor();
      }
    }
  }
}
