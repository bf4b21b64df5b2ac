package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.Generation;
import io.gatun.models.Llm;
import io.gatun.models.Thinking;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.engine.Engine;
import io.gatun.models.engine.Request;
import io.gatun.models.engine.Result;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.tests.Reciter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What a model thinks, told from what it answers. The models recite their vocabulary: after each
/// token the next one is likeliest.
class ThoughtsTest {
  @TempDir private Path temp;

  private Path reciter(String template, String... tokens) {
    return Reciter.write(temp, template, tokens);
  }

  private Path thinking() {
    String template = "{% for m in messages %}{{ m['content'] }}{% endfor %}";
    return reciter(
        template, "Q", "<think>", "\n", "hmm", "\nhm", "</think>", "\n\n", "yes", ".", "<e>");
  }

  private static Generation answer(
      Path model, String prompt, Thinking thinking, StringBuilder out) {
    try (var llm = Llm.load(model, o -> o.threads(1))) {
      return llm.generate(
          prompt, o -> o.temperature(0).maxTokens(30).thinking(thinking).sink(out::append));
    }
  }

  private static void check(Path model, String prompt, String thoughts) {
    for (var thinking : Thinking.values()) {
      var out = new StringBuilder();
      var generation = answer(model, prompt, thinking, out);
      assertEquals("yes.", generation.text());
      assertEquals(thoughts, generation.thoughts());
      String shown = "<think>\n" + thoughts + "\n</think>\n\nyes.";
      assertEquals(thinking == Thinking.SHOW ? shown : "yes.", out.toString());
    }
  }

  @Test
  void blocks() {
    check(thinking(), "Q", "hmm\nhm");
    // A thought that the prompt has begun.
    check(thinking(), "Q<think>", "hmm\nhm");
    check(reciter("", "Q", "[THINK]", "hmm", "[/THINK]", "yes", ".", "<e>"), "Q", "hmm");
    check(
        reciter("", "Q", "<|channel>", "thought\n", "hmm", "\n", "<channel|>", "yes", ".", "<e>"),
        "Q",
        "hmm");
  }

  /// A constraint is on the answer, whether the prompt has begun the thought or the model does.
  @Test
  void aConstraintLeavesThoughtsFree() throws Exception {
    for (String prompt : List.of("Q", "Q<think>")) {
      var constraint = Constraint.regex("yes|no");
      try (var llm = Llm.load(thinking(), o -> o.threads(1));
          var engine = Engine.open(llm)) {
        var generation =
            llm.generate(prompt, o -> o.temperature(0).maxTokens(30).constraint(constraint));
        assertEquals("hmm\nhm", generation.thoughts());
        assertEquals("yes", generation.text());
        var request = Request.of(llm.tokenizer().encode(prompt)).sampling(SamplingOptions.GREEDY);
        var result = engine.submit(request.constraint(constraint)).await();
        assertEquals("hmm\nhm", result.thoughts());
        assertEquals("yes", result.text());
        assertEquals(Result.Reason.END, result.reason());
      }
    }
  }

  /// A constraint that waits for a special token.
  @Test
  void aCallBeginsTheConstraint() throws Exception {
    var model = reciter("", "Q", "yes", "<call>", "wrong", "right", "wrong", "<e>");
    var constraint = Constraint.choice(List.of("right")).after("<call>");
    try (var llm = Llm.load(model, o -> o.threads(1));
        var engine = Engine.open(llm)) {
      var request = Request.of(llm.tokenizer().encode("Q")).sampling(SamplingOptions.GREEDY);
      var result = engine.submit(request.constraint(constraint)).await();
      assertEquals("yesright", result.text());
      assertEquals(3, result.tokens().length);
    }
  }

  /// Each token stands twice in the vocabulary where the text has it twice.
  @Test
  void channels() {
    check(
        reciter(
            "",
            "Q",
            "<|channel|>",
            "analysis",
            "<|message|>",
            "hmm",
            "<|end|>",
            "<|start|>",
            "assistant",
            "<|channel|>",
            "final",
            "<|message|>",
            "yes",
            ".",
            "<|return|>"),
        "Q",
        "hmm");
  }

  /// What calls a tool ends the answer, though it is not the token that ends texts.
  @Test
  void aCallOfAToolEndsTheAnswer() {
    var model =
        reciter(
            "{% for m in messages %}{{ m['content'] }}{% endfor %}",
            "Q",
            "<|channel|>",
            "analysis",
            "<|message|>",
            "hmm",
            "<|end|>",
            "<|start|>",
            "assistant",
            "<|channel|>",
            "final",
            "<|message|>",
            "weather()",
            "<|call|>",
            "more",
            "<|return|>");
    var out = new StringBuilder();
    var generation = answer(model, "Q", Thinking.HIDE, out);
    assertEquals("weather()", generation.text());
    assertEquals("weather()", out.toString());
    assertEquals("hmm", generation.thoughts());
    assertEquals(Generation.Reason.END, generation.reason());
    assertEquals(12, generation.ids().length);
    String[] chat = {"chat", "-m", model.toString(), "--temp", "0", "--thinking", "hide"};
    assertEquals("weather()\n", InProcess.reading("Q\n", chat).out());
  }

  @Test
  void aThoughtThatDoesNotEndIsNoAnswer() {
    var out = new StringBuilder();
    var generation =
        answer(reciter("", "Q", "<think>", "hmm", "hm", "<e>"), "Q", Thinking.HIDE, out);
    assertEquals("", generation.text() + out);
    assertEquals("hmmhm", generation.thoughts());
  }

  /// What was thought is not part of the conversation.
  @Test
  void commands() throws Exception {
    String model = thinking().toString();
    String[] options = {"-m", model, "--temp", "0", "-n", "30"};
    assertEquals("yes.\n", run("generate", options, "-p", "Q", "-q", "--thinking", "hide"));
    String shown = "<think>\nhmm\nhm\n</think>\n\nyes.\n";
    assertEquals(shown, run("generate", options, "-p", "Q", "-q"));
    var json = new ObjectMapper().readTree(run("generate", options, "-p", "Q", "--json"));
    assertEquals("yes.", json.get("text").asText());
    assertEquals("hmm\nhm", json.get("thoughts").asText());
    Path saved = temp.resolve("saved.json");
    String[] chat = {"chat", "-m", model, "--temp", "0", "--thinking", "hide"};
    assertEquals(
        "yes.\n[2 messages are in " + saved + "]\n",
        InProcess.reading("Q\n/save " + saved + "\n", chat).out());
    assertEquals("yes.", new ObjectMapper().readTree(saved.toFile()).at("/1/content").asText());
  }

  private static String run(String command, String[] options, String... more) {
    var args = new ArrayList<>(List.of(command));
    args.addAll(List.of(options));
    args.addAll(List.of(more));
    var result = InProcess.reading("", args.toArray(String[]::new));
    assertEquals(0, result.code(), result.err());
    return result.out();
  }
}
