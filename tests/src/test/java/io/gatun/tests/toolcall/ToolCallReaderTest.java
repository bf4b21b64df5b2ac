package io.gatun.tests.toolcall;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.Llm;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.toolcall.Tool;
import io.gatun.models.toolcall.ToolCallReader;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Calls as each family writes them, whole and a character at a time.
class ToolCallReaderTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private static final String SCHEMA =
      "{\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}, \"days\":"
          + " {\"type\": \"integer\"}, \"where\": {\"type\": \"object\"}, \"list\": {\"type\":"
          + " \"array\"}}}";

  private static Llm llm;

  @BeforeAll
  static void load() {
    llm = Llm.load(TestData.pretrained("tiny-llm"), o -> o.threads(1));
  }

  @AfterAll
  static void close() {
    llm.close();
  }

  /// What was told, and how.
  private static final class Told implements ToolCallReader.Sink {
    final StringBuilder text = new StringBuilder();
    final List<String> names = new ArrayList<>();
    final List<StringBuilder> arguments = new ArrayList<>();
    int pieces;

    @Override
    public void text(String piece) {
      text.append(piece);
    }

    @Override
    public void call(int index, String name) {
      assertEquals(names.size(), index);
      names.add(name);
      arguments.add(new StringBuilder());
    }

    @Override
    public void arguments(int index, String piece) {
      assertEquals(names.size() - 1, index, "only the last call grows");
      assertTrue(!piece.isEmpty());
      pieces++;
      arguments.get(index).append(piece);
    }

    JsonNode call(int i) throws IOException {
      return JSON.readTree(arguments.get(i).toString());
    }
  }

  /// @param written `~` stands for a line feed
  private static Told read(String written, int step, boolean onlyCalls) throws IOException {
    String answer = written.replace('~', '\n');
    Tokenizer tokenizer = llm.tokenizer();
    var tools =
        List.of(
            new Tool("weather", JSON.readTree(SCHEMA)),
            new Tool("get.time", JSON.createObjectNode()));
    var told = new Told();
    var reader = new ToolCallReader(tokenizer, tools, onlyCalls, told);
    for (int i = 0; i < answer.length(); i += step) {
      reader.push(-1, answer.substring(i, Math.min(answer.length(), i + step)));
    }
    reader.finish(true);
    assertEquals(told.names.size(), reader.calls());
    return told;
  }

  /// One call of `weather` for Rome and 3 days, in each form.
  static List<String> forms() {
    return List.of(
        "<tool_call>~"
            + "{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\", \"days\": 3}}\n"
            + "</tool_call>",
        "<tool_call>{\"arguments\": {\"city\": \"Rome\", \"days\": 3}, \"name\":"
            + " \"weather\"}</tool_call>",
        "<tool_call>~"
            + "<function=weather>~"
            + "<parameter=city>~"
            + "Rome\n"
            + "</parameter>~"
            + "<parameter=days>~"
            + "3\n"
            + "</parameter>~"
            + "</function>~"
            + "</tool_call>",
        "<seed:tool_call>~"
            + "<function=weather>~"
            + "<parameter=city>Rome</parameter>~"
            + "<parameter=days>3</parameter>~"
            + "</function>~"
            + "</seed:tool_call>",
        "<tool_call>weather~"
            + "<arg_key>city</arg_key>~"
            + "<arg_value>Rome</arg_value>~"
            + "<arg_key>days</arg_key>~"
            + "<arg_value>3</arg_value>~"
            + "</tool_call>",
        "[TOOL_CALLS] [{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\", \"days\": 3}}]",
        "[TOOL_CALLS]weather[ARGS]{\"city\": \"Rome\", \"days\": 3}",
        "[TOOL_CALLS]weather[CALL_ID]abc123XYZ[ARGS]{\"city\": \"Rome\", \"days\": 3}",
        "<|tool_call|>[{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\", \"days\":"
            + " 3}}]<|/tool_call|>",
        "<|START_ACTION|>[~"
            + "    {\"tool_call_id\": \"0\", \"tool_name\": \"weather\", \"parameters\": {\"city\":"
            + " \"Rome\", \"days\": 3}}~"
            + "]<|END_ACTION|>",
        "<\uff5ctool\u2581calls\u2581begin\uff5c><\uff5ctool\u2581call\u2581begin\uff5c>function<\uff5ctool\u2581sep\uff5c>weather~```json~{\"city\":"
            + " \"Rome\", \"days\": 3}~"
            + "```<\uff5ctool\u2581call\u2581end\uff5c><\uff5ctool\u2581calls\u2581end\uff5c>",
        "<\uff5ctool\u2581calls\u2581begin\uff5c><\uff5ctool\u2581call\u2581begin\uff5c>weather<\uff5ctool\u2581sep\uff5c>{\"city\":"
            + " \"Rome\", \"days\":"
            + " 3}<\uff5ctool\u2581call\u2581end\uff5c><\uff5ctool\u2581calls\u2581end\uff5c>",
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>{\"city\":"
            + " \"Rome\", \"days\": 3}<|tool_call_end|><|tool_calls_section_end|>",
        "<|tool_call_start|>[weather(city=\"Rome\", days=3)]<|tool_call_end|>",
        "<|tool_call_start|>[{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\", \"days\":"
            + " 3}}]<|tool_call_end|>",
        "<|tool_call>call:weather{city:<|\"|>Rome<|\"|>,days:3}<tool_call|>",
        "<|channel|>commentary to=functions.weather<|message|>{\"city\": \"Rome\", \"days\":"
            + " 3}<|call|>",
        "<|python_tag|>{\"type\": \"function\", \"name\": \"weather\", \"parameters\": {\"city\":"
            + " \"Rome\", \"days\": 3}}",
        "{\"name\": \"weather\", \"parameters\": {\"city\": \"Rome\", \"days\": 3}}",
        "{\"type\": \"function\", \"function\": {\"name\": \"weather\", \"arguments\":"
            + " \"{\\\"city\\\": \\\"Rome\\\", \\\"days\\\": 3}\"}}",
        "[weather(city='Rome', days=3)]");
  }

  @ParameterizedTest
  @MethodSource("forms")
  void everyFamily(String answer) throws IOException {
    for (int step : new int[] {1, 3, answer.length()}) {
      for (String before : List.of("", "\n\n")) {
        var told = read(before + answer, step, false);
        assertEquals(List.of("weather"), told.names, answer);
        assertEquals(JSON.readTree("{\"city\": \"Rome\", \"days\": 3}"), told.call(0));
        assertEquals("", told.text.toString());
        boolean atOnce = answer.contains("\\\"") || answer.contains("{\"arg");
        assertTrue(step > 3 || atOnce || told.pieces > 1, "arguments come as they are written");
      }
    }
    boolean bare = answer.startsWith("{") || answer.startsWith("[w");
    if (!bare) {
      assertEquals("Let me look.", read("Let me look. " + answer, 1, false).text.toString());
    }
  }

  @Test
  void severalCalls() throws IOException {
    for (String answer :
        List.of(
            "<tool_call>~"
                + "{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}\n"
                + "</tool_call>~"
                + "<tool_call>~"
                + "{\"name\": \"get.time\", \"arguments\": {}}\n"
                + "</tool_call>",
            "[TOOL_CALLS][{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}, {\"name\":"
                + " \"get.time\", \"arguments\": {}}]",
            "[TOOL_CALLS]weather[ARGS]{\"city\": \"Rome\"}[TOOL_CALLS]get.time[ARGS]{}",
            "<|tool_call_start|>[weather(city=\"Rome\"), get.time()]<|tool_call_end|>",
            "<|tool_call>call:weather{city:<|\"|>Rome<|\"|>}<tool_call|><|tool_call>call:get.time{}<tool_call|>",
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>{\"city\":"
                + " \"Rome\"}<|tool_call_end|><|tool_call_begin|>functions.get.time:1<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>",
            "{\"name\": \"weather\", \"parameters\": {\"city\": \"Rome\"}}; {\"name\":"
                + " \"get.time\", \"parameters\": {}}",
            "<tool_call>~"
                + "<function=weather>~"
                + "<parameter=city>~"
                + "Rome\n"
                + "</parameter>~"
                + "</function>~"
                + "</tool_call>~"
                + "<tool_call>~"
                + "<function=get.time>~"
                + "</function>~"
                + "</tool_call>")) {
      for (int step : new int[] {1, answer.length()}) {
        var told = read(answer, step, false);
        assertEquals(List.of("weather", "get.time"), told.names, answer);
        assertEquals(JSON.readTree("{\"city\": \"Rome\"}"), told.call(0));
        assertEquals(JSON.readTree("{}"), told.call(1), answer);
        assertEquals("", told.text.toString());
      }
    }
  }

  @Test
  void valuesOfAllKinds() throws IOException {
    var expected =
        JSON.readTree(
            "{\"city\": \"L'Aquila \\\"x\\\"\\n"
                + "{,}\", \"days\": -2, \"where\": {\"lat\": 1.5, \"old\": true, \"z\": null},"
                + " \"list\": [\"a\", [1, false]]}");
    for (String answer :
        List.of(
            "<|tool_call_start|>[weather(city=\"L'Aquila \\\"x\\\"\\n"
                + "{,}\", days=-2, where={'lat': 1.5, \"old\": True, 'z': None}, list=['a', (1,"
                + " False)])]<|tool_call_end|>",
            "<|tool_call>call:weather{city:<|\"|>L'Aquila \"x\"~"
                + "{,}<|\"|>,days:-2,where:{lat:1.5,old:true,z:null},list:[<|\"|>a<|\"|>,[1,false]]}<tool_call|>",
            "<tool_call>{\"name\": \"weather\", \"arguments\": " + expected + "}</tool_call>")) {
      for (int step : new int[] {1, answer.length()}) {
        var told = read(answer, step, false);
        assertEquals(1, told.names.size(), answer);
        assertEquals(expected, told.call(0));
      }
    }
    // What the schema says to be text stays text.
    var text =
        read(
            "<tool_call>weather<arg_key>city</arg_key><arg_value>12</arg_value></tool_call>",
            1,
            false);
    assertEquals("12", text.call(0).path("city").textValue());
  }

  @Test
  void whatIsNoCallStaysText() throws IOException {
    for (String answer :
        List.of(
            "<tool_call>{\"name\": \"rm\", \"arguments\": {}}</tool_call>",
            "<tool_call>nonsense</tool_call> and more",
            "{\"answer\": 42, \"name\": \"weather\"}",
            "{\"name\": \"Otto\", \"age\": 3}",
            "[1, 2, 3]",
            "[weathervane]",
            "{",
            "a < b, <tool and [TOOL",
            "I call weather(city=\"Rome\")")) {
      for (int step : new int[] {1, answer.length()}) {
        var told = read(answer, step, false);
        assertEquals(List.of(), told.names, answer);
        assertEquals(answer, told.text.toString());
      }
    }
  }

  /// JSON that is an answer is not held back to its end.
  @Test
  void anAnswerInJsonComesAsItIsWritten() throws IOException {
    var told = new Told();
    var reader =
        new ToolCallReader(llm.tokenizer(), List.of(new Tool("weather", null)), false, told);
    reader.push(-1, "{\"answer\": ");
    assertEquals("{\"answer\": ", told.text.toString());
  }

  @Test
  void anAnswerThatBreaksOffWithinACall() throws IOException {
    var told = new Told();
    var reader =
        new ToolCallReader(llm.tokenizer(), List.of(new Tool("weather", null)), false, told);
    reader.push(-1, "<tool_call>weather<arg_key>city</arg_key><arg_value>Rome</arg_value><arg_k");
    reader.finish(false);
    assertEquals("{\"city\": \"Rome\"", told.arguments.getFirst().toString());
  }
}
