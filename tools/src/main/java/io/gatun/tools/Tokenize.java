package io.gatun.tools;

import io.gatun.models.text.Tokenizer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.regex.Pattern;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun tokenize`: text to token ids and back.
@Command(
    name = "tokenize",
    description =
        "Show a text's tokens, or the text of token ids. Reads standard input if told none.",
    sortOptions = false)
final class Tokenize implements Runnable {
  /// A list as `--json` prints it.
  private static final Pattern IN_BRACKETS = Pattern.compile("\\[\\s*(.*?)\\s*]", Pattern.DOTALL);

  private static final Pattern BETWEEN_IDS = Pattern.compile("\\s*,\\s*|\\s+");

  @Spec private CommandSpec spec;

  @Mixin private ModelPath model;

  @ArgGroup private Source source = new Source();

  /// What to work on: one of these.
  private static final class Source {
    @Option(
        names = {"-p", "--prompt"},
        paramLabel = "TEXT",
        description = "The text.")
    private String text;

    @Option(
        names = {"-f", "--file"},
        paramLabel = "FILE",
        description = "Read the text from a UTF-8 file.")
    private Path file;

    @Option(
        names = {"-d", "--decode"},
        paramLabel = "IDS",
        description = "Print the text of these ids: 1,2,3.")
    private String ids;
  }

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
    boolean decode = source.ids != null;
    if (decode && plain) {
      throw new ParameterException(
          spec.commandLine(), "--plain says how to read a text; --decode has none");
    }
    int[] ids = decode ? parse(source.ids) : null;
    String text = decode ? null : text();
    Tokenizer tokenizer = model.tokenizer();
    if (decode) {
      text = tokenizer.decode(ids, noSpecial);
    } else {
      ids = tokenizer.encode(text, !noSpecial, !plain);
    }
    var out = spec.commandLine().getOut();
    if (json) {
      var map = new LinkedHashMap<String, Object>();
      map.put("text", text);
      map.put("ids", ids);
      map.put("pieces", Arrays.stream(ids).mapToObj(tokenizer::piece).toList());
      out.println(Json.of(map));
    } else if (decode) {
      out.println(text);
    } else {
      var table = new Table("rl");
      for (int id : ids) {
        table.row(id, tokenizer.piece(id));
      }
      out.print(table);
    }
    out.flush();
  }

  private String text() {
    if (source.text != null) {
      return source.text;
    }
    return source.file != null ? Texts.read(source.file) : Texts.read(Stdio.of(spec).in());
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
