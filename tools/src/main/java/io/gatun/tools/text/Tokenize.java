package io.gatun.tools.text;

import io.gatun.models.text.Tokenizer;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.console.Table;
import io.gatun.tools.console.Texts;
import io.gatun.tools.options.ModelPath;
import io.gatun.tools.options.TextOptions;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun tokenize`: text to token ids and back.
@Command(
    name = "tokenize",
    description = "Show a text's tokens, or the text of token ids.",
    sortOptions = false)
public final class Tokenize implements Runnable {
  /// A list as `--json` prints it.
  private static final Pattern IN_BRACKETS = Pattern.compile("\\[\\s*(.*?)\\s*]", Pattern.DOTALL);

  private static final Pattern BETWEEN_IDS = Pattern.compile("\\s*,\\s*|\\s+");

  @Spec private CommandSpec spec;

  @Mixin private ModelPath model;

  @Mixin private TextOptions text;

  @Option(
      names = {"-d", "--decode"},
      paramLabel = "IDS",
      description = "Print the text of these ids instead: 1,2,3.")
  private String decode;

  @Option(
      names = "--no-special",
      description =
          "Do not add what the model expects around a text (BOS, EOS); with --decode, leave special"
              + " tokens out.")
  private boolean noSpecial;

  @Option(
      names = "--plain",
      description = "Special tokens written in the text are text like any other.")
  private boolean plain;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Override
  public void run() {
    if (decode != null && (plain || text.isGiven())) {
      throw new ParameterException(
          spec.commandLine(),
          "--decode makes a text of ids; leave out --prompt, --file and --plain, which are for a"
              + " text that there is");
    }
    int[] ids = decode == null ? null : parse(decode);
    String read = decode == null ? text() : null;
    Tokenizer tokenizer = model.tokenizer();
    if (decode != null) {
      read = tokenizer.decode(ids, noSpecial);
    } else {
      ids = tokenizer.encode(read, !noSpecial, !plain);
    }
    var out = spec.commandLine().getOut();
    if (json) {
      var map = new LinkedHashMap<String, Object>();
      map.put("text", read);
      map.put("ids", ids);
      map.put("pieces", Arrays.stream(ids).mapToObj(tokenizer::piece).toList());
      out.println(Json.of(map));
    } else if (decode != null) {
      out.println(read);
    } else {
      var table = new Table("rl");
      for (int id : ids) {
        table.row(id, tokenizer.piece(id));
      }
      out.print(table);
    }
    out.flush();
  }

  /// What is typed counts, too, unlike elsewhere: there is nothing else to do.
  private String text() {
    String given = text.read();
    return given != null ? given : Texts.read(Stdio.of(spec).in());
  }

  private int[] parse(String list) {
    String inner = IN_BRACKETS.matcher(list.strip()).replaceFirst("$1");
    try {
      return Arrays.stream(BETWEEN_IDS.split(inner, -1)).mapToInt(Integer::parseInt).toArray();
    } catch (NumberFormatException e) {
      throw new ParameterException(
          spec.commandLine(), "--decode is '" + list + "'; need token ids such as 1,2,3", e);
    }
  }
}
