package io.gatun.tests.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.Llm;
import io.gatun.models.engine.ContextExceededException;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.models.text.ChatTemplate;
import io.gatun.spring.GatunChatModel;
import io.gatun.spring.GatunChatOptions;
import io.gatun.spring.GatunChatOptions.ToolChoice;
import io.gatun.tests.Reciter;
import io.gatun.tests.TestData;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.micrometer.observation.ObservationRegistry;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.ai.chat.client.ChatClient;
import org.springframework.ai.chat.messages.AssistantMessage;
import org.springframework.ai.chat.messages.Message;
import org.springframework.ai.chat.messages.SystemMessage;
import org.springframework.ai.chat.messages.ToolResponseMessage;
import org.springframework.ai.chat.messages.UserMessage;
import org.springframework.ai.chat.model.ChatResponse;
import org.springframework.ai.chat.observation.ChatModelMeterObservationHandler;
import org.springframework.ai.chat.prompt.ChatOptions;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.ai.content.Media;
import org.springframework.ai.tool.ToolCallback;
import org.springframework.ai.tool.function.FunctionToolCallback;
import org.springframework.ai.tool.metadata.ToolMetadata;
import org.springframework.util.MimeTypeUtils;

@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SpringChatModelTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String TINY = TestData.pretrained("tiny-llm").toString();
  private static final String QUESTION = "Good morrow, my lord. What news?";

  private static final String PERSON =
      """
      {"type": "object", "properties": {"age": {"type": "integer"},
       "mood": {"enum": ["merry", "sad"]}}, "required": ["age", "mood"],
       "additionalProperties": false}\
      """;

  /// What a tool is asked.
  record City(String city) {}

  @TempDir private static Path folder;

  private static GatunChatOptions.Builder greedy() {
    return GatunChatOptions.builder().temperature(0.0).maxTokens(8);
  }

  private static GatunChatModel tiny() {
    return GatunChatModel.builder().model(TINY).options(greedy().build()).build();
  }

  private static ToolCallback weather(Function<City, String> answer) {
    return FunctionToolCallback.builder("weather", answer).inputType(City.class).build();
  }

  private static String text(ChatResponse response) {
    return response.getResult().getOutput().getText();
  }

  /// Thinks, and calls a function; after its result it says "sunny".
  private static String caller() {
    return Reciter.write(
            folder,
            "{% for m in messages %}{{ m['content'] }}{% endfor %}",
            "Q",
            "<think>",
            "hmm",
            "</think>",
            "\n\n",
            "<tool_call>",
            "\n",
            "{\"name\": \"weather\", \"arguments\": {\"city\": \"R\"",
            "}}",
            "</tool_call>",
            "<eos>")
        .toString();
  }

  @Test
  void aConversation() {
    var messages =
        List.<Message>of(
            new SystemMessage("You are a courtier."),
            new UserMessage("Who art thou?"),
            new AssistantMessage("A friend."),
            new UserMessage(QUESTION));
    try (var model = tiny();
        var llm = Llm.load(TINY);
        var chat = llm.newChat()) {
      chat.restore(
          List.of(
              new ChatTemplate.Message("system", "You are a courtier."),
              new ChatTemplate.Message("user", "Who art thou?"),
              new ChatTemplate.Message("assistant", "A friend.")));
      var expected =
          chat.say(QUESTION, o -> o.maxTokens(8).sampling(SamplingOptions.GREEDY)).text();
      var answer = model.call(new Prompt(messages));
      assertEquals(expected, text(answer));
      assertEquals("length", answer.getResult().getMetadata().getFinishReason());
      assertEquals(8, answer.getMetadata().getUsage().getCompletionTokens());
      assertTrue(answer.getMetadata().getUsage().getPromptTokens() > 20);
      assertEquals("tiny-llm", answer.getMetadata().getModel());
      assertFalse(answer.getMetadata().getId().isEmpty());
    }
  }

  @Test
  void optionsOfAPromptComeFirst() {
    try (var model = tiny()) {
      // What they do not say, the model's own do.
      var few = new Prompt(QUESTION, ChatOptions.builder().maxTokens(3).build());
      assertEquals(3, model.call(few).getMetadata().getUsage().getCompletionTokens());
      assertTrue(text(model.call(new Prompt(QUESTION))).startsWith(text(model.call(few))));
      var drawn = greedy().temperature(1.5);
      String first = text(model.call(new Prompt(QUESTION, drawn.seed(1L).build())));
      assertEquals(first, text(model.call(new Prompt(QUESTION, drawn.seed(1L).build()))));
      assertNotEquals(first, text(model.call(new Prompt(QUESTION, drawn.seed(2L).build()))));
    }
  }

  @Test
  void aSchemaIsKept() throws Exception {
    try (var model = tiny()) {
      var options = greedy().temperature(1.0).maxTokens(80).outputSchema(PERSON).build();
      var read = JSON.readTree(text(model.call(new Prompt(QUESTION, options))));
      assertTrue(read.path("age").isIntegralNumber(), read.toString());
      assertTrue(List.of("merry", "sad").contains(read.path("mood").asText()), read.toString());
    }
  }

  @Test
  void toolsAreCalled() throws Exception {
    try (var model = GatunChatModel.builder().model(caller()).build()) {
      var tool = weather(city -> "sunny");
      var asked = new Prompt("Q", greedy().maxTokens(null).toolCallbacks(List.of(tool)).build());
      for (var answer :
          List.of(model.call(asked), model.stream(asked).collectList().block().getLast())) {
        assertEquals("tool_calls", answer.getResult().getMetadata().getFinishReason());
        var call = answer.getResult().getOutput().getToolCalls().getFirst();
        assertEquals("weather", call.name());
        assertEquals(JSON.readTree("{\"city\":\"R\"}"), JSON.readTree(call.arguments()));
      }
      var whole = model.call(asked).getResult().getOutput();
      assertEquals("hmm", whole.getMetadata().get("thinking"));
      assertEquals("", whole.getText());
      var call = whole.getToolCalls().getFirst();
      var result = new ToolResponseMessage.ToolResponse(call.id(), call.name(), "");
      var more =
          List.<Message>of(
              whole,
              ToolResponseMessage.builder().responses(List.of(result)).build(),
              new UserMessage("Q"));
      assertEquals(
          "hmm",
          model.call(new Prompt(more)).getResult().getOutput().getMetadata().get("thinking"));
    }
  }

  /// The client runs what the model calls; this model would call for ever.
  @Test
  void aClientRunsTools() {
    try (var model = GatunChatModel.builder().model(caller()).build()) {
      var tool =
          FunctionToolCallback.builder("weather", (City city) -> "sunny in " + city.city())
              .inputType(City.class)
              .toolMetadata(ToolMetadata.builder().returnDirect(true).build())
              .build();
      var client = ChatClient.create(model).prompt("Q").options(greedy().maxTokens(14)).tools(tool);
      assertEquals("\"sunny in R\"", client.call().content());
    }
  }

  @Test
  void aClientReadsObjects() {
    record Person(int age, String name) {}
    try (var model = tiny()) {
      var person =
          ChatClient.create(model)
              .prompt(QUESTION)
              .options(greedy().maxTokens(120).temperature(0.5).seed(3L))
              .call()
              .entity(Person.class, spec -> spec.useProviderStructuredOutput());
      assertTrue(person.name() != null);
    }
  }

  @Test
  void aCallCanBeForced() throws Exception {
    try (var model = tiny()) {
      var options =
          greedy()
              .temperature(1.0)
              .maxTokens(100)
              .toolCallbacks(List.of(weather(city -> "sunny")))
              .toolChoice(ToolChoice.REQUIRED)
              .build();
      var answer = model.call(new Prompt(QUESTION, options)).getResult().getOutput();
      var call = answer.getToolCalls().getFirst();
      assertTrue(JSON.readTree(call.arguments()).path("city").isTextual(), call.arguments());
    }
  }

  @Test
  void answersStream() throws Exception {
    try (var model = tiny()) {
      var pieces = model.stream(new Prompt(QUESTION)).collectList().block();
      var text = new StringBuilder();
      pieces.forEach(piece -> text.append(text(piece)));
      assertEquals(model.call(QUESTION), text.toString());
      assertTrue(pieces.size() > 3, pieces.toString());
      assertEquals(8, pieces.getLast().getMetadata().getUsage().getCompletionTokens());
      assertThrows(
          ContextExceededException.class, () -> model.stream("long ".repeat(5000)).blockLast());
      // Who has heard enough ends the answer.
      var endless = new Prompt(QUESTION, greedy().maxTokens(100_000).build());
      assertEquals(2, model.stream(endless).take(2).collectList().block().size());
      for (int i = 0; i < 100 && model.stats().running() > 0; i++) {
        Thread.sleep(50);
      }
      assertEquals(0, model.stats().running());
    }
  }

  @Test
  void whatCannotBeDoneIsRefused() {
    try (var model = tiny()) {
      var tools = List.of(weather(city -> "sunny"));
      var media = new Media(MimeTypeUtils.IMAGE_PNG, java.net.URI.create("https://example.com/a"));
      var picture = UserMessage.builder().text("What?").media(media).build();
      for (var refused :
          Map.of(
                  "reads only text", new Prompt(picture),
                  "the model other", new Prompt("Q", greedy().model("other").build()),
                  "there are none",
                      new Prompt("Q", greedy().toolChoice(ToolChoice.REQUIRED).build()),
                  "Ask without tools",
                      new Prompt("Q", greedy().toolCallbacks(tools).outputSchema(PERSON).build()),
                  "two tools",
                      new Prompt(
                          "Q", greedy().toolCallbacks(List.of(tools.get(0), tools.get(0))).build()),
                  "temperature", new Prompt("Q", greedy().temperature(-1.0).build()),
                  "tokens", new Prompt("long ".repeat(5000)))
              .entrySet()) {
        var e = assertThrows(IllegalArgumentException.class, () -> model.call(refused.getValue()));
        assertTrue(e.getMessage().contains(refused.getKey()), e.getMessage());
      }
    }
    assertThrows(IllegalArgumentException.class, () -> GatunChatModel.builder().build());
    var missing = GatunChatModel.builder().model("no/such.gguf");
    assertThrows(CheckpointException.class, missing::build);
    var hurried = GatunChatModel.builder().model(TINY).timeout(Duration.ZERO);
    try (var model = hurried.build()) {
      var e = assertThrows(IllegalStateException.class, () -> model.call(QUESTION));
      assertTrue(e.getMessage().contains("longer than"), e.getMessage());
    }
  }

  @Test
  void requestsAreObserved() throws Exception {
    var meters = new SimpleMeterRegistry();
    var registry = ObservationRegistry.create();
    registry.observationConfig().observationHandler(new ChatModelMeterObservationHandler(meters));
    var model =
        GatunChatModel.builder()
            .model(TINY)
            .options(greedy().build())
            .observationRegistry(registry)
            .build();
    try (model) {
      model.call(QUESTION);
      var ended = new CountDownLatch(1);
      model.stream(QUESTION).doFinally(end -> ended.countDown()).blockLast();
      assertTrue(ended.await(10, TimeUnit.SECONDS));
    }
    var written =
        meters
            .get("gen_ai.client.token.usage")
            .tag("gen_ai.token.type", "output")
            .tag("gen_ai.response.model", "tiny-llm")
            .tag("gen_ai.system", "gatun")
            .counter();
    assertEquals(16, written.count());
  }
}
