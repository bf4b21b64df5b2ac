package io.gatun.tests.tools;

import static io.gatun.tests.tools.Launcher.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.tests.Processes;
import io.gatun.tests.Processes.Result;
import io.gatun.tools.options.ModelPath;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What all commands have in common: how options are spelled, where texts come from, help,
/// completion.
class OptionsTest {
  private static final List<String> COMMANDS =
      List.of(
          "chat",
          "generate",
          "embed",
          "rank",
          "index",
          "ask",
          "search-images",
          "segment",
          "track",
          "imagine",
          "upscale",
          "quantize",
          "pack",
          "cache list",
          "cache clear",
          "tokenize",
          "perplexity",
          "evaluate",
          "evaluate sam",
          "evaluate search",
          "inspect",
          "doctor",
          "bench system",
          "bench llm",
          "bench embed",
          "bench search",
          "bench cache",
          "bench sam",
          "bench diffusion");

  @TempDir private static Path temp;

  private static Result done(String input, String line) {
    Result result = InProcess.reading(input, line.split(" "));
    assertEquals(0, result.code(), result.err());
    return result;
  }

  /// A short option has one long one, in all commands, and the other way round.
  @Test
  void optionsAreSpelledTheSameEverywhere() {
    var pair = Pattern.compile("(?m)^ +(-\\w), (--[\\w-]+)");
    var spellings = new TreeMap<String, TreeSet<String>>();
    for (String command : COMMANDS) {
      String help = done("", "help " + command).out();
      var found = pair.matcher(help);
      while (found.find()) {
        spellings.computeIfAbsent(found.group(1), o -> new TreeSet<>()).add(found.group(2));
      }
      // A long option that is short elsewhere is short here, too.
      spellings.forEach(
          (shorter, longer) ->
              assertFalse(
                  Pattern.compile("(?m)^ {6}" + longer.first() + "(?![\\w-])").matcher(help).find(),
                  command + " has " + longer.first() + " without " + shorter));
    }
    spellings.forEach((shorter, longer) -> assertEquals(1, longer.size(), shorter + longer));
    String all =
        "{-V=[--version], -b=[--box], -c=[--context], -d=[--decode], -e=[--everything],"
            + " -f=[--file], -g=[--guidance], -h=[--help], -i=[--image], -m=[--model],"
            + " -n=[--max-tokens], -o=[--out], -p=[--prompt], -q=[--quiet], -s=[--steps],"
            + " -t=[--threads], -y=[--yes]}";
    spellings.put("-V", new TreeSet<>(List.of("--version")));
    assertEquals(all, spellings.toString());
  }

  /// Where the help says `--mode hybrid|words|vectors`, each of those words is taken.
  @Test
  void choicesAreTakenAsTheHelpSpellsThem() {
    var choice = Pattern.compile("(--[\\w-]+)=((?:[a-z][\\w-]*\\|)+[\\w-]+)(?=\\s|])");
    int seen = 0;
    for (String command : COMMANDS) {
      var found = choice.matcher(done("", "help " + command).out());
      while (found.find()) {
        for (String word : found.group(2).split("\\|", -1)) {
          String line = "%s %s %s --no-such-option".formatted(command, found.group(1), word);
          String said = InProcess.gatun(line.split(" ")).err();
          assertFalse(said.contains("Invalid value"), line + ": " + said);
          seen++;
        }
      }
    }
    assertTrue(seen > 50, "found " + seen);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "segment -i x.png -p 1,2|There is no -p here; use --point X,Y",
        "imagine x -n 2|There is no -n here; use --batch N",
        "tokenize --text a|There is no --text here; use -p or --prompt TEXT",
        "bench llm --prompt 128|There is no --prompt here; use --prompt-tokens N",
      })
  void whatWasSpelledOtherwise(String line, String message) {
    assertRefused(InProcess.gatun(line.split(" ")), message);
  }

  @Test
  void laterOptionsCountMore() {
    String twice = "generate -p ROMEO: --temp 1 -n 50 -n 3 --temp 0 --seed 1 --seed 2 --json";
    Result result = done("", twice);
    assertEquals(3, json(result).get("ids").size());
    assertEquals(2, json(result).get("seed").asLong());
    assertFalse(result.err().contains("WARN"), result.err());
  }

  private static JsonNode json(Result result) {
    try {
      return result.json();
    } catch (java.io.IOException e) {
      throw new AssertionError(result.out(), e);
    }
  }

  @Test
  void textsComeFromStandardInputToo() throws Exception {
    String greedy = " -n 4 --temp 0 -q";
    String expected = done("", "generate -p ROMEO:" + greedy).out();
    assertEquals(expected, done("ROMEO:\n", "generate" + greedy).out());
    assertEquals(expected, done("ROMEO:", "generate -f -" + greedy).out());
    Path file = Files.writeString(temp.resolve("prompt.txt"), "ROMEO:\n");
    assertEquals(expected, done("", "generate -f " + file + greedy).out());
    String ids = done("", "tokenize -p KING").out();
    assertEquals(ids, done("KING", "tokenize").out());
    assertEquals(ids, done("KING", "tokenize -f -").out());
    String text = "KING RICHARD II:\nI am a king.\n";
    assertTrue(done(text, "perplexity -f - -c 8").out().startsWith("perplexity "));
    assertRefused(InProcess.gatun("generate", "-p", "a", "-f", "-"), "Give --prompt or --file");
    assertRefused(InProcess.gatun("imagine", "a", "-p", "b"), "Give the prompt once");
  }

  @Test
  void generatePrintsJson() {
    JsonNode json = json(done("", "generate -p ROMEO: -n 4 --temp 0 --json"));
    assertEquals("ROMEO:", json.get("prompt").asText());
    assertEquals("length", json.get("reason").asText());
    assertEquals(4, json.get("ids").size());
    assertTrue(json.get("prompt_tokens").asInt() > 1);
    assertTrue(json.get("load_seconds").asDouble() > 0);
  }

  @Test
  void imaginePrintsJson() {
    String out = temp.resolve("json.png").toString();
    JsonNode json = json(done("a red circle", "imagine --steps 1 --seed 5 --json -q -o " + out));
    assertEquals(1, json.size());
    assertEquals(out, json.at("/0/file").asText());
    assertEquals(5, json.at("/0/seed").asLong());
    assertEquals(64, json.at("/0/width").asInt());
    assertTrue(json.at("/0/parameters").asText().startsWith("a red circle\n"));
  }

  @Test
  void helpIsACommandToo() {
    assertEquals(done("", "--help").out(), done("", "help").out());
    assertEquals(done("", "generate --help").out(), done("", "help generate").out());
    assertEquals(done("", "bench llm --help").out(), done("", "help bench llm").out());
    assertRefused(InProcess.gatun("help", "generat"), "There is no command 'generat'", "generate");
  }

  @ParameterizedTest
  @ValueSource(strings = {"bash", "zsh"})
  void shellsComplete(String shell) throws Exception {
    assumeTrue(onPath(shell), shell + " is not installed");
    Path script = temp.resolve(shell);
    Files.writeString(script, done("", "completion " + shell).out());
    String ask =
        "source "
            + script
            + (shell.equals("zsh") ? "; emulate sh" : "") // as bashcompinit does
            + "; COMP_WORDS=(gatun %s); COMP_CWORD=%d; COMP_LINE='gatun %s'; _complete_gatun;"
            + " echo ${COMPREPLY[@]}";
    // zsh drops the words that do not fit after the script has named them.
    String command = complete(shell, ask.formatted("gen", 1, "gen"));
    assertTrue(command.matches("(.* )?generate( .*)?"), command);
    String option = complete(shell, ask.formatted("chat --thr", 2, "chat --thr"));
    assertTrue(option.matches("(.* )?--threads( .*)?"), option);
    String below = complete(shell, ask.formatted("bench l", 2, "bench l"));
    assertTrue(below.matches("(.* )?llm( .*)?"), below);
  }

  @Test
  void fishCompletes() throws Exception {
    assumeTrue(onPath("fish"), "fish is not installed");
    Path script = Files.writeString(temp.resolve("gatun.fish"), done("", "completion fish").out());
    String ask = "source " + script + "; complete -C 'gatun %s' | string split -f1 \\t";
    assertEquals("generate", complete("fish", ask.formatted("gen")));
    assertEquals("--threads", complete("fish", ask.formatted("chat --thr")));
    assertEquals("llm", complete("fish", ask.formatted("bench l")));
    assertEquals("scalar", complete("fish", ask.formatted("chat --backend s")));
  }

  /// Before the command line is read, to prepare for the model.
  @Test
  void theModelIsGuessed() {
    assertEquals("tiny-llm", ModelPath.guess("generate", "--prompt", "x"));
    assertEquals("a", ModelPath.guess("chat", "-m", "a"));
    assertEquals("a", ModelPath.guess("chat", "--threads=2", "--model", "a", "-m", "b"));
    assertEquals("a", ModelPath.guess("chat", "--model=a"));
    for (String unclear : List.of("-qm", "-ma", "-m=a", "@file", "-m")) {
      assertNull(ModelPath.guess("chat", unclear), unclear);
    }
  }

  private static boolean onPath(String program) {
    return List.of(System.getenv("PATH").split(":")).stream()
        .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
  }

  private static String complete(String shell, String script) throws Exception {
    var builder = new ProcessBuilder(shell, "-c", script);
    builder.environment().put("HOME", temp.toString());
    Result result = Processes.run(builder);
    assertEquals(0, result.code(), result.err());
    return result.out().strip();
  }
}
