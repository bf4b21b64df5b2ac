package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `gatun chat` with lines from a pipe.
class ChatTest {
  @TempDir private static Path temp;

  private static String model;

  /// tiny-llm has no template of its own.
  @BeforeAll
  static void withATemplate() throws Exception {
    Path folder = Files.createDirectories(temp.resolve("chat"));
    for (String name : new String[] {"config.json", "model.safetensors", "tokenizer.json"}) {
      Files.copy(TestData.pretrained("tiny-llm").resolve(name), folder.resolve(name));
    }
    var mapper = new ObjectMapper();
    Path from = TestData.pretrained("tiny-llm/tokenizer_config.json");
    var json = (ObjectNode) mapper.readTree(from.toFile());
    json.put(
        "chat_template",
        "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}");
    mapper.writeValue(folder.resolve("tokenizer_config.json").toFile(), json);
    model = folder.toString();
  }

  private static String chat(String lines, String... options) {
    var args = new ArrayList<String>();
    args.addAll(List.of("chat", "-m", model, "-n", "3", "--temp", "0"));
    args.addAll(List.of(options));
    Result result = InProcess.reading(lines, args.toArray(String[]::new));
    assertEquals(0, result.code(), result.err());
    return result.out();
  }

  @Test
  void commandsAnswer() {
    assertTrue(chat("/help\n").contains("/regenerate"));
    assertEquals("[there are no instructions]\n", chat("/system\n"));
    assertEquals(
        "[starting anew with these instructions]\n[instructions: be brief]\n",
        chat("/system be brief\n/system\n"));
    assertEquals("[everything is forgotten]\n", chat("/new\n"));
    assertTrue(chat("/hlep\n").startsWith("[there is no command /hlep; /help lists them"));
    assertEquals("[nothing has been said yet]\n", chat("/regenerate\n"));
    assertEquals("", chat("/quit\nhello\n"));
  }

  @Test
  void aPathIsAMessage() throws Exception {
    for (String line : new String[] {"/usr/bin is a folder", "/tmp is full", " /help me"}) {
      String said = chat(line + "\n", "--json");
      assertEquals(3, new ObjectMapper().readTree(said).get("ids").size(), said);
    }
  }

  @Test
  void messagesOfSeveralLines() throws Exception {
    Path file = temp.resolve("lines.json");
    chat("\"\"\"\nfirst\n/second\n\"\"\"\nthird\\\nfourth\n/save " + file + "\n");
    JsonNode saved = new ObjectMapper().readTree(file.toFile());
    assertEquals("first\n/second", saved.at("/0/content").asText());
    assertEquals("third\nfourth", saved.at("/2/content").asText());
  }

  @Test
  void conversationsAreSavedAndLoaded() throws Exception {
    Path file = temp.resolve("talk.json");
    String said = chat("/system be kind\nhello\n/save " + file + "\n");
    assertTrue(said.endsWith("[3 messages are in " + file + "]\n"), said);
    JsonNode saved = new ObjectMapper().readTree(file.toFile());
    assertEquals("system", saved.at("/0/role").asText());
    String answer = saved.at("/2/content").asText();
    String again = chat("/load " + file + "\n/system\n/regenerate\n");
    assertTrue(again.contains("[3 messages are read"), again);
    assertTrue(again.contains("[instructions: be kind]\n" + answer), again);
    assertTrue(chat("/load nowhere.json\n").contains("there is no such file"));
    Path other = Files.writeString(temp.resolve("other.json"), "[1]");
    assertTrue(chat("/load " + other + "\n").contains("is no conversation that /save wrote"));
  }

  @Test
  void optionsAreSetBetweenMessages() {
    String said = chat("/set max-tokens 2\nhi\n/set temp -1\n/set top-q 1\n/set\n");
    assertTrue(said.contains("[max-tokens is 2]\n"), said);
    assertTrue(said.contains("[cut after 2 tokens: /set max-tokens N]"), said);
    assertTrue(said.contains("[temperature is -1.0; need 0 or more"), said);
    assertTrue(said.contains("[there is no option top-q; /set lists them]"), said);
    assertTrue(said.matches("(?s).*\nmax-tokens +2\n.*temp +0\\.0\n.*"), said);
  }

  @Test
  void aFullContextIsExplained() {
    String line = "Before we proceed any further, hear me speak.\n";
    String said = chat(line.repeat(6), "-c", "64");
    assertTrue(said.contains("[the context is full: the oldest "), said);
    assertTrue(said.contains("gatun chat --context 512 holds more]"), said);
    assertFalse(chat(line).contains("full"));
  }
}
