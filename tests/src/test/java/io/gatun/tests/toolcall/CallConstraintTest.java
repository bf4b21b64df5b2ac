package io.gatun.tests.toolcall;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.networknt.schema.InputFormat;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import io.gatun.models.Llm;
import io.gatun.models.constraint.AnswerMask;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import io.gatun.models.toolcall.CallConstraint;
import io.gatun.models.toolcall.Tool;
import io.gatun.models.toolcall.ToolCallReader;
import io.gatun.tests.Reciter;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Calls in the families' forms: whatever a model would write, the call that is read out of it is
/// one of a function that there is, and its arguments follow the schema.
class CallConstraintTest {
  private static final String SCHEMA =
      """
      {"type": "object", "required": ["city", "days"], "additionalProperties": false,
       "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer", "minimum": 1, "maximum": 14},
        "unit": {"enum": ["C", "F"]},
        "exact": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "where": {"$ref": "#/$defs/place"}},
       "$defs": {"place": {"type": "object", "properties": {"lat": {"type": "number"}}}}}
      """;

  private static final Constraint MERRY =
      Constraint.jsonSchema(
          """
          {"type": "object", "properties": {"merry": {"type": "boolean"}}, "required": ["merry"],
           "additionalProperties": false}
          """);

  private static final String NOTHING = "{\"type\": \"object\", \"properties\": {}}";

  private static final List<String> MARKS =
      List.of(
          "<tool_call>",
          "</tool_call>",
          "<arg_key>",
          "</arg_key>",
          "<arg_value>",
          "</arg_value>",
          "<|tool_call_start|>",
          "<|tool_call_end|>",
          "<|tool_call>",
          "<tool_call|>",
          "<|\"|>",
          "<|python_tag|>",
          "<|other|>");

  private static Llm llm;
  private static Tokenizer tokenizer;
  private static List<Tool> tools;

  @BeforeAll
  static void load(@TempDir Path temp) throws IOException {
    // Some characters are rare, so that walks end; the last token ends an answer.
    var tokens = new ArrayList<>(MARKS);
    tokens.addAll(List.of(" ", "\n"));
    IntStream.rangeClosed('!', '~').forEach(c -> tokens.add(Character.toString(c)));
    tokens.addAll(List.of("weather", "city", "</", "function", "parameter", "=", "True", "\", "));
    tokens.add("<|end|>");
    var pieces = tokens.stream().distinct().toArray(String[]::new);
    llm = Llm.load(Reciter.write(temp, "x", pieces), o -> o.threads(1));
    tokenizer = llm.tokenizer();
    var json = new ObjectMapper();
    tools =
        List.of(
            new Tool("weather", json.readTree(SCHEMA)), new Tool("now", json.readTree(NOTHING)));
  }

  @AfterAll
  static void close() {
    llm.close();
  }

  /// @param template what tells the form
  /// @param good calls as the family writes them
  /// @param bad what must not be written
  record Form(String name, String template, String begin, List<String> good, List<String> bad) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static String lines(String... lines) {
    return String.join("\n", lines);
  }

  static Stream<Form> forms() {
    return Stream.of(
        new Form(
            "Qwen3-Coder",
            "<function=",
            "<tool_call>",
            List.of(
                lines(
                    "",
                    "<function=weather>",
                    "<parameter=city>",
                    "Bern",
                    "West",
                    "</parameter>",
                    "<parameter=days>",
                    "3",
                    "</parameter>",
                    "<parameter=unit>",
                    "C",
                    "</parameter>",
                    "</function>"),
                "\n<function=now>\n</function>"),
            List.of(
                "\n<function=other>",
                "\n<function=weather>\n<parameter=days>",
                lines(
                    "",
                    "<function=weather>",
                    "<parameter=city>",
                    "x",
                    "</parameter>",
                    "<parameter=days>",
                    "many"),
                lines(
                    "",
                    "<function=weather>",
                    "<parameter=city>",
                    "x",
                    "</parameter>",
                    "</function>"))),
        new Form(
            "GLM",
            "<arg_key>",
            "<tool_call>",
            List.of(
                lines(
                    "weather",
                    "<arg_key>city</arg_key>",
                    "<arg_value>Bern</arg_value>",
                    "<arg_key>days</arg_key>",
                    "<arg_value>14</arg_value>",
                    "</tool_call>"),
                "now</tool_call>"),
            List.of(
                "when",
                "weather\n</tool_call>",
                "weather\n<arg_key>town",
                lines(
                    "weather",
                    "<arg_key>city</arg_key>",
                    "<arg_value>Bern</arg_value>",
                    "<arg_key>days</arg_key>",
                    "<arg_value>15"))),
        new Form(
            "LFM2",
            "",
            "<|tool_call_start|>",
            List.of(
                "[weather(city=\"Bern, \\\"x\\\"\", days=3, exact=True, tags=[\"a\"])]",
                "[now(), weather(city=\"\", days=1)]"),
            List.of("[weather(days=3", "[weather(city=Bern", "[now(x=1", "now()")),
        new Form(
            "Gemma 4",
            "",
            "<|tool_call>",
            List.of(
                "call:weather{city:<|\"|>Bern<|\"|>,days:3,unit:<|\"|>F<|\"|>,tags:[<|\"|>a<|\"|>,<|\"|>b<|\"|>],where:{lat:1.5}}<tool_call|>",
                "call:now{}<tool_call|>"),
            List.of(
                "call:weather{city:Bern",
                "call:weather{city:<|\"|>Bern<|\"|>}",
                "call:weather{city:<|\"|>Bern<|\"|>,days:3,unit:<|\"|>K")),
        new Form(
            "Hermes, whose schema is part of another one",
            "",
            "<tool_call>",
            List.of(
                "\n"
                    + "{\"name\": \"weather\", \"arguments\": {\"city\": \"Bern\", \"days\": 3,"
                    + " \"where\": {\"lat\": 1}}}"),
            List.of(
                "\n"
                    + "{\"name\": \"weather\", \"arguments\": {\"city\": \"Bern\", \"days\": 3,"
                    + " \"where\": 1")),
        new Form(
            "Llama 3",
            "",
            "{\"name\": \"weather\", \"parameters\": ",
            List.of("{\"city\": \"Bern\", \"days\": 3}"),
            List.of("{\"days\": 3", "{\"city\": \"Bern\"}", "x")));
  }

  private static AnswerMask begun(Form form, int most) {
    var constraint = CallConstraint.of(tools, tokenizer, form.template);
    int[] prompt = {0};
    var mask =
        new AnswerMask(constraint, tokenizer, llm.model().config().vocabSize(), prompt, most);
    for (int id : tokens(form.begin)) {
      assertTrue(allows(mask, id), form.begin);
      mask.accept(id);
    }
    return mask;
  }

  /// Marks as what they are, and else the longest tokens.
  private static int[] tokens(String text) {
    var ids = IntStream.builder();
    for (int at = 0; at < text.length(); ) {
      int from = at;
      int best =
          IntStream.range(0, tokenizer.size())
              .filter(id -> tokenizer.has(id) && text.startsWith(spelled(id), from))
              .boxed()
              .max((a, b) -> Integer.compare(spelled(a).length(), spelled(b).length()))
              .orElseThrow(() -> new AssertionError(text.substring(from)));
      ids.add(best);
      at += spelled(best).length();
    }
    return ids.build().toArray();
  }

  private static String spelled(int id) {
    return tokenizer.isSpecial(id)
        ? tokenizer.piece(id)
        : new String(tokenizer.bytes(id), StandardCharsets.UTF_8);
  }

  private static boolean allows(AnswerMask mask, int id) {
    return BitSet.valueOf(mask.allowed()).get(id);
  }

  private static boolean isFree(AnswerMask mask) {
    return Arrays.stream(mask.allowed()).allMatch(word -> word == -1);
  }

  /// A special token is only where it is asked for, and its name as a text is something else.
  @Test
  void aMarkIsTheSpecialTokenOfItsName() {
    var grammar = Constraint.gbnf("root ::= <|other|> [a-z]+ <|none|>?");
    var parts = Constraint.sequence(Constraint.mark("<|other|>"), Constraint.regex("[a-z]+"));
    int mark = tokenizer.id("<|other|>").getAsInt();
    for (var constraint : List.of(grammar, parts)) {
      var matcher = constraint.start(tokenizer);
      assertTrue(BitSet.valueOf(matcher.allowed()).get(mark));
      matcher.accept(mark);
      assertFalse(BitSet.valueOf(matcher.allowed()).get(mark));
      matcher.accept(tokenizer.id("a").getAsInt());
      assertTrue(matcher.mayEnd());
      assertFalse(matcher.allows(tokenizer.id("<|\"|>").getAsInt()));
    }
    // The model has no such token: the name is a text.
    var none = grammar.start(tokenizer);
    for (int id : tokens("<|other|>a<|none|>")) {
      none.accept(id);
    }
    assertTrue(none.mayEnd());
  }

  @ParameterizedTest
  @MethodSource("forms")
  void callsOfTheFamilyAreAllowed(Form form) {
    for (String good : form.good) {
      var mask = begun(form, 400);
      assertFalse(isFree(mask), "free: " + good);
      for (int id : tokens(good)) {
        assertTrue(allows(mask, id), () -> spelled(id) + " of " + good);
        mask.accept(id);
      }
      assertTrue(isFree(mask), "not at its end: " + good);
    }
    for (String bad : form.bad) {
      var mask = begun(form, 400);
      assertFalse(allowsAll(mask, bad), bad);
    }
  }

  /// With a form for answers an answer follows it, or is calls as without.
  @ParameterizedTest
  @MethodSource("forms")
  void callsOrAnAnswerInAForm(Form form) {
    for (String good : form.good) {
      assertTrue(allowsAll(either(form), form.begin + good), good);
    }
    for (String bad : form.bad) {
      assertFalse(allowsAll(either(form), form.begin + bad), bad);
    }
    var answer = either(form);
    assertTrue(allowsAll(answer, "{\"merry\":true}"));
    assertTrue(answer.finished());
    assertFalse(allowsAll(either(form), "Yes"));
    assertFalse(allowsAll(either(form), "{\"merry\":1"));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            CallConstraint.or(MERRY, tools, Tokenizers.load(TestData.pretrained("tiny-llm")), ""));
  }

  private static AnswerMask either(Form form) {
    var constraint = CallConstraint.or(MERRY, tools, tokenizer, form.template);
    int[] prompt = {0};
    return new AnswerMask(constraint, tokenizer, llm.model().config().vocabSize(), prompt, 400);
  }

  private static boolean allowsAll(AnswerMask mask, String text) {
    for (int id : tokens(text)) {
      if (!allows(mask, id)) {
        return false;
      }
      mask.accept(id);
    }
    return true;
  }

  @ParameterizedTest
  @MethodSource("forms")
  void whateverIsDrawnIsAValidCall(Form form) {
    var random = new Random(7);
    var registry = SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12);
    for (int round = 0; round < 20; round++) {
      var mask = begun(form, 150);
      var told = new Told();
      var reader = new ToolCallReader(tokenizer, tools, false, told);
      var written = new StringBuilder();
      IntStream begin = Arrays.stream(tokens(form.begin));
      begin.forEach(id -> push(reader, id, written));
      while (!isFree(mask)) {
        int[] allowed = BitSet.valueOf(mask.allowed()).stream().toArray();
        int id = allowed[random.nextInt(allowed.length)];
        mask.accept(id);
        push(reader, id, written);
      }
      for (String end : form.name.equals("Llama 3") ? List.of("}") : List.<String>of()) {
        push(reader, tokens(end)[0], written);
      }
      reader.finish(true);
      assertTrue(told.names.size() > 0, written.toString());
      for (int i = 0; i < told.names.size(); i++) {
        String arguments = told.arguments.get(i).toString();
        String schema = told.names.get(i).equals("weather") ? SCHEMA : NOTHING;
        var errors = registry.getSchema(schema).validate(arguments, InputFormat.JSON);
        assertEquals(List.of(), errors, () -> arguments + " of " + written);
      }
    }
  }

  private static void push(ToolCallReader reader, int id, StringBuilder written) {
    written.append(spelled(id));
    reader.push(id, tokenizer.isSpecial(id) ? "" : spelled(id));
  }

  private static final class Told implements ToolCallReader.Sink {
    final List<String> names = new ArrayList<>();
    final List<StringBuilder> arguments = new ArrayList<>();

    @Override
    public void text(String piece) {}

    @Override
    public void call(int index, String name) {
      names.add(name);
      arguments.add(new StringBuilder());
    }

    @Override
    public void arguments(int index, String piece) {
      arguments.get(index).append(piece);
    }
  }
}
