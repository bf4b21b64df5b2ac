package io.gatun.tests.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.text.ChatTemplate;
import io.gatun.models.text.ChatTemplate.Message;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import io.gatun.tests.TestData;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Chat templates against what transformers renders.
class ChatTemplateTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  /// The texts were recorded without `strftime_now`; Llama 3.2's template writes this day then.
  private static final Clock RECORDED =
      Clock.fixed(Instant.parse("2024-07-26T12:00:00Z"), ZoneOffset.UTC);

  @TempDir Path dir;

  /// The templates of thirteen families in eight conversations each, rendered by transformers.
  @Test
  void asTransformersRendersThem() throws Exception {
    JsonNode data;
    try (InputStream in = getClass().getResourceAsStream("/text/chat-templates.json")) {
      data = JSON.readTree(in);
    }
    var wrong = new ArrayList<String>();
    for (JsonNode expected : data.get("rendered")) {
      String name = expected.get("template").asText();
      JsonNode template = data.get("templates").get(name);
      var chat =
          new ChatTemplate(template.get("template").asText(), tokens(template)).withClock(RECORDED);
      var messages = new ArrayList<Message>();
      for (JsonNode m : data.get("conversations").get(expected.get("conversation").asText())) {
        messages.add(new Message(m.get("role").asText(), m.get("content").asText()));
      }
      boolean prompt = expected.get("add_generation_prompt").asBoolean();
      String where = name + ", " + expected.get("conversation").asText() + ", " + prompt;
      if (expected.has("error")) {
        var refused =
            assertThrows(
                IllegalArgumentException.class, () -> chat.render(messages, prompt), where);
        assertTrue(refused.getMessage().endsWith(expected.get("error").asText()), where);
      } else {
        String text;
        try {
          text = chat.render(messages, prompt);
        } catch (CheckpointException e) {
          text = e.getMessage();
        }
        if (!text.equals(expected.get("text").asText())) {
          wrong.add(where + ":\n" + text + "\nnot:\n" + expected.get("text").asText());
        }
      }
    }
    assertEquals(List.of(), wrong);
    assertEquals(104, data.get("rendered").size());
  }

  @Test
  void tinyLlm() throws Exception {
    Path model = TestData.pretrained("tiny-llm");
    Tokenizer tokenizer = Tokenizers.load(model);
    JsonNode golden = JSON.readTree(model.resolve("goldens.json").toFile()).get("chat");
    var messages =
        List.of(new Message("user", golden.get("messages").get(0).get("content").asText()));
    String text = ChatTemplate.load(model, Map.of(), tokenizer).render(messages, true);
    assertEquals(golden.get("rendered").asText(), text);
    int[] ids = JSON.convertValue(golden.get("ids"), int[].class);
    assertArrayEquals(ids, tokenizer.encode(text, false, true));
  }

  @Test
  void messagesAreNotTemplates() throws Exception {
    var chat = new ChatTemplate(ChatTemplate.CHATML, tiny());
    String hostile = "{{ 7 * 7 }}{% include 'x' %}{{ ''.class }}";
    assertEquals(
        "<|im_start|>user\n" + hostile + "<|im_end|>\n",
        chat.render(List.of(new Message("user", hostile)), false));
  }

  @Test
  void templatesReachNothing() throws Exception {
    for (String template :
        List.of(
            "{% include '/etc/passwd' %}",
            "{{ ''.getClass() }}", "{{ messages.getClass().forName('java.lang.Runtime') }}")) {
      assertThrows(
          CheckpointException.class,
          () -> new ChatTemplate(template, tiny()).render(List.of(new Message("user", "x")), false),
          template);
    }
  }

  @Test
  void dateOfToday() throws Exception {
    var chat = new ChatTemplate("{{ strftime_now('%Y-%m-%d') }}", tiny());
    String before = LocalDate.now(ZoneId.systemDefault()).toString();
    String text = chat.render(List.of(), false);
    assertTrue(
        List.of(before, LocalDate.now(ZoneId.systemDefault()).toString()).contains(text), text);
  }

  @Test
  void whereTemplatesAreFound() throws Exception {
    Tokenizer tokenizer = tiny();
    var hello = List.of(new Message("user", "Hi"));
    var missing =
        assertThrows(CheckpointException.class, () -> ChatTemplate.load(dir, Map.of(), tokenizer));
    assertTrue(missing.getMessage().contains("no chat template"));
    Files.writeString(
        dir.resolve("tokenizer_config.json"),
        "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"no\"},"
            + " {\"name\": \"default\", \"template\": \"list\"}]}");
    assertEquals("list", ChatTemplate.load(dir, Map.of(), tokenizer).render(hello, true));
    Files.writeString(dir.resolve("chat_template.jinja"), "{{ messages[0].content }}\n");
    assertEquals("Hi", ChatTemplate.load(dir, Map.of(), tokenizer).render(hello, true));
    assertEquals(
        "gguf",
        ChatTemplate.load(dir, Map.of("tokenizer.chat_template", "gguf"), tokenizer)
            .render(hello, true));
  }

  /// Directories as published checkpoints are laid out, and which of their templates transformers
  /// takes, with tools and without.
  @Test
  void whichTemplateIsTaken() throws Exception {
    Path jinja = TestData.shared("jinja");
    JsonNode golden = JSON.readTree(jinja.resolve("loading/golden.json").toFile());
    JsonNode conversations = JSON.readTree(jinja.resolve("conversations.json").toFile());
    JsonNode tools = conversations.at("/conversations/tools-offered/tools");
    int compared = 0;
    for (var directory : golden.get("directories").properties()) {
      Path folder = jinja.resolve("loading").resolve(directory.getKey());
      var chat = ChatTemplate.load(folder, Map.of(), tiny()); // its BOS is theirs
      for (JsonNode expected : directory.getValue()) {
        var variables = new HashMap<String, Object>();
        variables.put("messages", JSON.convertValue(golden.get("messages"), List.class));
        variables.put("add_generation_prompt", false);
        JsonNode kwargs = expected.get("kwargs");
        if (kwargs.has("chat_template")) {
          continue; // an argument of apply_chat_template
        }
        if (kwargs.has("tools")) {
          variables.put("tools", JSON.convertValue(tools, List.class).subList(0, 2));
        }
        assertEquals(expected.get("text").asText(), chat.render(variables), folder + " " + kwargs);
        compared++;
      }
    }
    assertEquals(8, compared);
  }

  private static Tokenizer tiny() {
    return Tokenizers.load(TestData.pretrained("tiny-llm"));
  }

  /// A vocabulary that has the template's BOS and EOS.
  private static Tokenizer tokens(JsonNode template) {
    var tokens = new ArrayList<String>(List.of("x", template.get("eos").asText()));
    var metadata = new HashMap<String, Object>();
    metadata.put("tokenizer.ggml.model", "gpt2");
    metadata.put("tokenizer.ggml.eos_token_id", 1L);
    if (!template.get("bos").isNull()) {
      tokens.add(template.get("bos").asText());
      metadata.put("tokenizer.ggml.bos_token_id", 2L);
    }
    metadata.put("tokenizer.ggml.tokens", tokens);
    metadata.put("tokenizer.ggml.merges", List.of("x x"));
    return Tokenizers.load(Path.of("test.gguf"), metadata);
  }
}
