package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.GgufWriter;
import io.gatun.models.Generation;
import io.gatun.models.Llm;
import io.gatun.models.Thinking;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.engine.Engine;
import io.gatun.models.engine.Request;
import io.gatun.models.engine.Result;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What a model thinks, told from what it answers. The models recite their vocabulary: after each
/// token the next one is likeliest.
class ThoughtsTest {
  private static final long NORMAL = 1;
  private static final long CONTROL = 3;
  private static final long USER_DEFINED = 4;

  @TempDir private Path temp;

  /// A model whose vocabulary begins with the prompt and ends with the token that ends a text.
  ///
  /// @param tokens marks are special unless they are `<think>` or `</think>`; a line feed is one
  private Path reciter(String template, String... tokens) {
    var pieces = new ArrayList<String>();
    var types = new ArrayList<Long>();
    for (String token : tokens) {
      pieces.add(token.replace("\n", "\u010A"));
      boolean tag = token.endsWith("think>");
      types.add(tag ? USER_DEFINED : token.matches("<.*>|\\[/?THINK]") ? CONTROL : NORMAL);
    }
    int n = pieces.size();
    while (pieces.size() % 4 != 0) {
      pieces.add("pad" + pieces.size());
      types.add(NORMAL);
    }
    int v = pieces.size();
    Path file = temp.resolve("reciter" + System.nanoTime() + ".gguf");
    try (var arena = Arena.ofConfined()) {
      var writer =
          new GgufWriter()
              .metadata("general.architecture", "llama")
              .metadata("llama.context_length", 64)
              .metadata("llama.embedding_length", v)
              .metadata("llama.block_count", 1)
              .metadata("llama.feed_forward_length", 4)
              .metadata("llama.attention.head_count", 2)
              .metadata("llama.attention.layer_norm_rms_epsilon", 1e-5f)
              .metadata("tokenizer.ggml.model", "gpt2")
              .metadata("tokenizer.ggml.pre", "gpt-2")
              .metadata("tokenizer.ggml.tokens", pieces)
              .metadata("tokenizer.ggml.token_type", types)
              .metadata("tokenizer.ggml.merges", List.of("p a"))
              .metadata("tokenizer.ggml.eos_token_id", n - 1)
              .metadata("tokenizer.chat_template", template);
      writer.add("token_embd.weight", diagonal(arena, v, 0));
      writer.add("output.weight", diagonal(arena, v, -1));
      for (String norm : List.of("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm")) {
        var ones = Tensor.allocate(arena, DType.Plain.F32, v);
        for (int i = 0; i < v; i++) {
          ones.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, 1);
        }
        writer.add(norm + ".weight", ones);
      }
      for (String part : List.of("attn_q", "attn_k", "attn_v", "attn_output")) {
        writer.add("blk.0." + part + ".weight", Tensor.allocate(arena, DType.Plain.F32, v, v));
      }
      writer.add("blk.0.ffn_gate.weight", Tensor.allocate(arena, DType.Plain.F32, 4, v));
      writer.add("blk.0.ffn_up.weight", Tensor.allocate(arena, DType.Plain.F32, 4, v));
      writer.add("blk.0.ffn_down.weight", Tensor.allocate(arena, DType.Plain.F32, v, 4));
      writer.write(file);
    }
    return file;
  }

  private static Tensor diagonal(Arena arena, int v, int shift) {
    var t = Tensor.allocate(arena, DType.Plain.F32, Shape.of(v, v).dims());
    for (int i = Math.max(0, -shift); i < v; i++) {
      t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, (long) i * v + i + shift, 1);
    }
    return t;
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
