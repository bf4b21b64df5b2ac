package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.server.Server;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Commands that have a running server answer.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RemoteCommandsTest {
  private static final String KEY = "a key that lets in";

  private static Server server;

  @BeforeAll
  static void start() {
    server = Server.start(o -> o.model(TestData.pretrained("tiny-llm")).apiKey(KEY).threads(2));
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @TempDir private Path folder;

  private String key(String content) throws IOException {
    return Files.writeString(folder.resolve("key"), content + "\n").toString();
  }

  private static String url() {
    return server.uri().toString();
  }

  private static void refused(Result result, String words) {
    assertEquals(2, result.code(), result.toString());
    assertTrue(result.err().contains(words), result.err());
    assertEquals("", result.out().strip());
  }

  @Test
  void generateWritesWhatItWritesWithoutAServer() throws IOException {
    var here = InProcess.gatun("generate", "-p", "To be", "-n", "12", "--temp", "0", "-q");
    var there =
        InProcess.gatun(
            "generate",
            "-p",
            "To be",
            "-n",
            "12",
            "--temp",
            "0",
            "-q",
            "--server",
            url(),
            "--server-key",
            key(KEY),
            "--model",
            "tiny-llm");
    assertEquals(0, there.code(), there.err());
    assertEquals(here.out(), there.out());
    assertTrue(there.out().length() > 5, there.out());
  }

  @Test
  void chatAnswersWhatItAnswersWithoutAServer() throws IOException {
    String[] asked = {"chat", "-n", "12", "--temp", "0"};
    String[] there = with(asked, "--server", url(), "--server-key", key(KEY));
    var once = InProcess.reading("Good morrow\n/quit\n", there);
    assertEquals(0, once.code(), once.err());
    assertTrue(once.out().length() > 5, once.out());
    var here = InProcess.reading("Good morrow\n/quit\n", asked);
    assertTrue(here.out().startsWith(once.out().stripTrailing()), here.out() + once.out());
    var anew = InProcess.reading("Good morrow\n/new\nGood morrow\n", there);
    assertEquals(once.out() + once.out(), anew.out());
  }

  @Test
  void saysInASentenceWhatIsWrong() throws IOException {
    int free;
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      free = socket.getLocalPort();
    }
    for (String command : new String[] {"generate", "chat"}) {
      String[] ask = {command, "-n", "4", "--server"};
      refused(InProcess.reading("hi\n", with(ask, "nonsense")), "need a URL");
      refused(
          InProcess.reading("hi\n", with(ask, "http://127.0.0.1:" + free)),
          "no server answers there");
      refused(InProcess.reading("hi\n", with(ask, url())), "wants a key");
      refused(
          InProcess.reading("hi\n", with(ask, url(), "--server-key", key("wrong"))),
          "does not know");
      refused(
          InProcess.reading("hi\n", with(ask, url(), "--server-key", key(KEY), "--model", "gpt")),
          "tiny-llm");
      refused(
          InProcess.reading("hi\n", with(ask, url(), "--kv", "f32")),
          "--kv is not told to a server");
    }
  }

  private static String[] with(String[] first, String... more) {
    var all = Arrays.copyOf(first, first.length + more.length);
    System.arraycopy(more, 0, all, first.length, more.length);
    return all;
  }
}
