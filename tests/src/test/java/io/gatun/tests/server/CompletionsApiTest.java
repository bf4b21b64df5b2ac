package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.Llm;
import io.gatun.tests.TestData;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// OpenAI's completions, and what evaluations ask beside them.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CompletionsApiTest {
  private static final String PATH = "/v1/completions";
  private static final String TEXT =
      "First Citizen:\nBefore we proceed any further, hear me speak.";

  private static TestServer server;
  private static Llm llm;

  @BeforeAll
  static void start() {
    server = new TestServer(o -> o.model(TestData.pretrained("tiny-llm")).parallel(4).queue(8));
    llm = Llm.load(TestData.pretrained("tiny-llm"), o -> o.threads(2));
  }

  @AfterAll
  static void stop() {
    llm.close();
    server.close();
  }

  private static String quoted(String text) {
    return TestServer.JSON.getNodeFactory().textNode(text).toString();
  }

  /// The first answer to a text at temperature 0.
  private static JsonNode complete(String prompt, String more) {
    return server
        .ask(PATH, "{'prompt': " + prompt + ", 'temperature': 0" + more + "}")
        .at("/choices/0");
  }

  private static double sum(JsonNode numbers, int from) {
    double sum = 0;
    for (int i = from; i < numbers.size(); i++) {
      sum += numbers.get(i).asDouble();
    }
    return sum;
  }

  @Test
  void likelihoodsAreThoseOfPerplexity() {
    int[] ids = llm.tokenizer().encode(TEXT, true, false);
    double expected = -llm.perplexity(TEXT).nll() * (ids.length - 1);
    for (String prompt : new String[] {quoted(TEXT), Arrays.toString(ids)}) {
      var read = complete(prompt, ", 'echo': true, 'logprobs': 1, 'max_tokens': 0");
      var told = read.path("logprobs");
      assertEquals(ids.length, told.path("tokens").size());
      assertTrue(told.at("/token_logprobs/0").isNull());
      assertEquals(expected, sum(told.path("token_logprobs"), 1), 1e-3 * ids.length);
      assertEquals(TEXT, read.path("text").asText());
    }
  }

  /// As lm-eval reads it: all but the first tokens, without the one that was written, and what is
  /// the likeliest equals the greatest of the others.
  @Test
  void likelihoodsAsAnEvaluationReadsThem() {
    int[] ids = llm.tokenizer().encode(TEXT, true, false);
    int[] other = llm.tokenizer().encode("To be, or not to be", true, false);
    var answers =
        server
            .ask(
                PATH,
                "{'model': 'tiny-llm', 'prompt': [%s, %s], 'temperature': 0, 'max_tokens': 1, 'logprobs': 1, 'seed': 1234, 'echo': true}"
                    .formatted(Arrays.toString(ids), Arrays.toString(other)))
            .path("choices");
    assertEquals(2, answers.size());
    int context = 10;
    float[] expected;
    try (var session = llm.newSession()) {
      expected = session.score(ids, context);
    }
    var told = answers.get(0).path("logprobs");
    assertEquals(ids.length + 1, told.path("token_logprobs").size());
    for (int i = context; i < ids.length; i++) {
      double logprob = told.path("token_logprobs").get(i).asDouble();
      assertEquals(expected[i - context], logprob, 2e-3);
      var top = told.path("top_logprobs").get(i);
      var best =
          StreamSupport.stream(top.spliterator(), false)
              .max(Comparator.comparingDouble(JsonNode::asDouble))
              .orElseThrow();
      assertTrue(best.asDouble() >= logprob, top.toString());
      assertEquals(best.asDouble() == logprob, top.size() == 1, top.toString());
    }
    assertEquals(other.length + 1, answers.get(1).at("/logprobs/tokens").size());
  }

  @Test
  void tokensStandWhereTheirOffsetsSay() {
    String text = "O, caf\u00e9 \ud83d\ude00, sir";
    var answer = complete(quoted(text), ", 'echo': true, 'logprobs': 0, 'max_tokens': 4");
    String said = answer.path("text").asText();
    assertTrue(said.startsWith(text), said);
    var told = answer.path("logprobs");
    int found = 0;
    for (int i = 0; i < told.path("tokens").size(); i++) {
      String token = told.path("tokens").get(i).asText();
      int at = said.offsetByCodePoints(0, told.path("text_offset").get(i).asInt());
      assertFalse(token.contains("\ufffd"), told.toString());
      found += said.startsWith(token.strip(), at) || said.startsWith(token, at) ? 1 : 0;
    }
    assertTrue(found >= 5, told.toString());
  }

  @Test
  void streamsWhatItWouldAnswerAsAWhole() {
    for (String echo : new String[] {"", ", 'echo': true"}) {
      String settings = ", 'max_tokens': 12, 'ignore_eos': true, 'logprobs': 2" + echo;
      var whole = complete("'ROMEO:'", settings);
      var events =
          server.events(
              PATH,
              "{'prompt': 'ROMEO:', 'temperature': 0, 'stream': true,"
                  + " 'stream_options': {'include_usage': true}"
                  + settings
                  + "}");
      String text =
          events.stream()
              .map(event -> event.at("/choices/0/text").asText())
              .collect(Collectors.joining());
      assertEquals(whole.path("text").asText(), text);
      for (String each : new String[] {"tokens", "text_offset", "top_logprobs"}) {
        var told = TestServer.JSON.createArrayNode();
        events.forEach(e -> e.at("/choices/0/logprobs/" + each).forEach(told::add));
        assertEquals(shape(whole.at("/logprobs/" + each)), shape(told), each);
      }
      assertEquals("length", events.get(events.size() - 2).at("/choices/0/finish_reason").asText());
      assertEquals(12, events.getLast().at("/usage/completion_tokens").asInt());
    }
  }

  /// What stays the same when sums are added up in another order: all but the likelihoods.
  private static String shape(JsonNode list) {
    return list.toString().replaceAll("-\\d+\\.\\d+(E-\\d+)?", "0");
  }

  /// With nothing to be written there is still the prompt.
  @Test
  void streamsThePromptAlone() {
    var events =
        server.events(
            PATH,
            "{'prompt': 'ROMEO:', 'max_tokens': 0, 'echo': true, 'logprobs': 1, 'stream': true}");
    assertEquals(2, events.size(), events.toString());
    assertEquals("ROMEO:", events.getFirst().at("/choices/0/text").asText());
    assertEquals(
        llm.tokenizer().encode("ROMEO:").length,
        events.getFirst().at("/choices/0/logprobs/token_logprobs").size());
  }

  @Test
  void severalAnswersToSeveralPrompts() {
    var answer =
        server.ask(
            PATH,
            "{'prompt': ['ROMEO:', 'JULIET:'], 'n': 2, 'seed': 3, 'max_tokens': 6, 'echo': true,"
                + " 'ignore_eos': true}");
    var choices = answer.path("choices");
    assertEquals(4, choices.size());
    for (int i = 0; i < 4; i++) {
      assertEquals(i, choices.get(i).path("index").asInt());
      String text = choices.get(i).path("text").asText();
      assertTrue(text.startsWith(i < 2 ? "ROMEO:" : "JULIET:"), text);
    }
    int prompts =
        llm.tokenizer().encode("ROMEO:").length + llm.tokenizer().encode("JULIET:").length;
    assertEquals(prompts, answer.at("/usage/prompt_tokens").asInt());
    assertEquals(24, answer.at("/usage/completion_tokens").asInt());
  }

  @Test
  void aStopTextEndsIt() {
    String whole = complete("'ROMEO:'", ", 'max_tokens': 20").path("text").asText();
    String stop = whole.substring(4, 6);
    var answer = complete("'ROMEO:'", ", 'max_tokens': 20, 'stop': [" + quoted(stop) + "]");
    assertEquals(whole.substring(0, whole.indexOf(stop)), answer.path("text").asText());
    assertEquals("stop", answer.path("finish_reason").asText());
  }

  @Test
  void refusesByName() {
    for (String field :
        new String[] {
          "'suffix': 'x'",
          "'best_of': 3",
          "'logprobs': 21",
          "'max_tokens': -1",
          "'n': 5",
          "'echo': 1",
          "'stream_options': {'x': 1}",
          "'guided_regex': '(a'",
          "'grammar': 'root ::= x'",
          "'guided_json': {'type': 'strin'}",
          "'response_format': {'type': 'json_schema', 'json_schema': {'schema': {'type': 1}}}",
          "'sample_twice': 1"
        }) {
      var error = server.refusal(400, PATH, "{'prompt': 'a', " + field + "}");
      String name = field.substring(1, field.indexOf('\'', 1));
      assertTrue(error.path("param").asText().startsWith(name), error.toString());
    }
    for (String prompt :
        new String[] {
          "[]", "1", "{}", "[[]]", "[1, 'a']", "['a', 1]", "[-1]", "[1.5]", "[99999]"
        }) {
      server.refusal(400, PATH, "{'prompt': " + prompt + "}");
    }
    assertEquals("prompt", server.refusal(400, PATH, "{}").path("param").asText());
    server.refusal(400, PATH, "{'prompt': [" + "'a', ".repeat(12) + "'a']}");
    String message =
        server
            .refusal(400, PATH, "{'prompt': '" + "to be ".repeat(600) + "'}")
            .path("message")
            .asText();
    assertTrue(message.matches("(?s).*\\d{3,}.* 512.*"), message);
  }

  @Test
  void tokensAndBack() {
    int[] ids = llm.tokenizer().encode(TEXT, true, true);
    var found = server.ask("/tokenize", "{'prompt': " + quoted(TEXT) + "}");
    assertEquals(Arrays.toString(ids), list(found.path("tokens")));
    assertEquals(ids.length, found.path("count").asInt());
    assertEquals(512, found.path("max_model_len").asInt());
    int[] bare = llm.tokenizer().encode(TEXT, false, true);
    var asLlamaCpp = server.ask("/tokenize", "{'content': " + quoted(TEXT) + "}");
    assertEquals(Arrays.toString(bare), list(asLlamaCpp.path("tokens")));
    var without =
        server.ask(
            "/tokenize",
            "{'prompt': %s, 'add_special_tokens': false, 'return_token_strs': true}"
                .formatted(quoted(TEXT)));
    assertEquals(Arrays.toString(bare), list(without.path("tokens")));
    assertEquals(bare.length, without.path("token_strs").size());
    var text = server.ask("/detokenize", "{'tokens': " + Arrays.toString(bare) + "}");
    assertEquals(TEXT, text.path("prompt").asText());
    assertEquals(TEXT, text.path("content").asText());
    var info = TestServer.json(server.get("/tokenizer_info").body());
    int eos = llm.tokenizer().eos().orElseThrow();
    assertEquals(llm.tokenizer().piece(eos), info.path("eos_token").asText());
    assertEquals(eos, info.path("eos_token_id").asInt());
    assertTrue(info.path("chat_template").asText().contains("messages"), info.toString());
    server.refusal(400, "/tokenize", "{}");
    server.refusal(400, "/tokenize", "{'prompt': 'a', 'content': 'a'}");
    server.refusal(400, "/tokenize", "{'prompt': 'a', 'x': 1}");
    server.refusal(400, "/detokenize", "{'tokens': [99999]}");
    server.refusal(404, "/detokenize", "{'tokens': [1], 'model': 'gpt'}");
  }

  private static String list(JsonNode numbers) {
    return numbers.toString().replace(",", ", ");
  }
}
