package io.gatun.tools.bench;

import io.gatun.models.constraint.Constraint;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import io.gatun.tools.bench.synthetic.SyntheticTokenizer;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.Table;
import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.text.ConstraintOptions;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gatun bench constraint`: what it costs to know which tokens may follow.
@Command(
    name = "constraint",
    description =
        "Measure what constraints on an answer cost: texts are drawn at random from what they"
            + " allow, and each token's time is taken.",
    sortOptions = false)
final class BenchConstraint implements Callable<Integer> {
  private static final double MICRO = 1e3;
  private static final double MILLI = 1e6;

  /// A few kinds, measured where none is given.
  private static final Map<String, Supplier<Constraint>> SOME = new LinkedHashMap<>();

  static {
    SOME.put("any JSON", Constraint::jsonObject);
    SOME.put(
        "JSON schema: a call",
        () ->
            Constraint.jsonSchema(
                """
                {"type": "object", "properties": {
                  "name": {"enum": ["search", "search_images", "open", "send_mail"]},
                  "arguments": {"type": "object", "properties": {
                    "query": {"type": "string", "minLength": 1, "maxLength": 200},
                    "count": {"type": "integer", "minimum": 1, "maximum": 50},
                    "safe": {"type": "boolean"}, "language": {"type": ["string", "null"]}},
                   "required": ["query"], "additionalProperties": false}},
                 "required": ["name", "arguments"], "additionalProperties": false}
                """));
    SOME.put(
        "JSON schema: records",
        () ->
            Constraint.jsonSchema(
                """
                {"type": "array", "minItems": 1, "maxItems": 20, "items": {"type": "object", "properties": {
                  "id": {"type": "string", "format": "uuid"},
                  "born": {"type": "string", "format": "date"},
                  "mail": {"type": "string", "format": "email"},
                  "code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3,5}$"},
                  "score": {"type": "number", "minimum": 0, "maximum": 1},
                  "tags": {"type": "array", "items": {"type": "string", "maxLength": 12}, "maxItems": 4}},
                 "required": ["id", "born", "mail", "code", "score"], "additionalProperties": false}}
                """));
    SOME.put(
        "JSON schema: a tree",
        () ->
            Constraint.jsonSchema(
                """
                {"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {
                  "kind": {"anyOf": [{"const": "leaf"}, {"const": "fork"}, {"type": "integer"}]},
                  "text": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
                 "required": ["kind", "children"], "additionalProperties": {"type": "number"}}}}
                """));
    SOME.put(
        "grammar: arithmetic",
        () ->
            Constraint.gbnf(
                """
                root ::= term (" "? [-+] " "? term)*
                term ::= factor (" "? [*/] " "? factor)*
                factor ::= [0-9]+ ("." [0-9]+)? | [a-z]+ ("(" root ("," root)* ")")? | "(" root ")"
                """));
    SOME.put(
        "expression: address",
        () -> Constraint.regex("https?://[a-z0-9.-]+(/[^ \\n?#]*)?(\\?[^ \\n]*)?"));
  }

  @Spec private CommandSpec spec;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description = "Whose vocabulary is used (default: one made for the purpose).")
  private Path model;

  @Option(
      names = "--vocabulary",
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Tokens of that one (default: ${DEFAULT-VALUE}).")
  private int vocabulary = 128_000;

  @Mixin private ConstraintOptions constraint;

  @Option(
      names = "--texts",
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Texts of each constraint (default: ${DEFAULT-VALUE}).")
  private int texts = 20;

  @Option(
      names = {"-n", "--max-tokens"},
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Tokens of each at the most (default: ${DEFAULT-VALUE}).")
  private int maxTokens = 200;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    var tokenizer = model == null ? synthetic() : Tokenizers.load(ModelNames.find(spec, model));
    var given = constraint.constraint();
    Map<String, Supplier<Constraint>> all =
        given == null ? SOME : Map.of(given.toString(), () -> given);
    long start = System.nanoTime();
    Constraint.regex("a").start(tokenizer);
    double trie = (System.nanoTime() - start) / MILLI;
    texts(Constraint.jsonObject(), tokenizer); // what is measured is compiled code
    var results = new ArrayList<Result>();
    all.forEach((name, make) -> results.add(measure(name, make, tokenizer)));
    var out = spec.commandLine().getOut();
    if (json) {
      var figures = new LinkedHashMap<String, Object>();
      figures.put("vocabulary", tokenizer.size());
      figures.put("vocabulary_milliseconds", trie);
      figures.put("constraints", results.stream().map(Result::toMap).toList());
      out.println(Json.of(figures));
    } else {
      out.printf("%,d tokens, made ready in %.0f ms%n%n", tokenizer.size(), trie);
      var table =
          new Table("lrrrrrr")
              .row("", "compiled", "first token", "tokens", "P50", "P99", "slowest");
      results.forEach(r -> table.row(r.cells()));
      out.print(table);
    }
    out.flush();
    return 0;
  }

  private Tokenizer synthetic() throws IOException {
    var file = Files.createTempFile("gatun-", ".json");
    try {
      Files.writeString(file, SyntheticTokenizer.manifold(vocabulary));
      return Tokenizers.load(file, Map.of());
    } finally {
      Files.delete(file);
    }
  }

  /// What was measured of a constraint: nanoseconds.
  ///
  /// @param tokens that were drawn
  /// @param median of all but the first, as are the other two
  private record Result(
      String name,
      double compiled,
      double first,
      int tokens,
      double median,
      double p99,
      double slowest) {
    Map<String, Object> toMap() {
      var map = new LinkedHashMap<String, Object>();
      map.put("constraint", name);
      map.put("compiled_milliseconds", compiled / MILLI);
      map.put("first_token_milliseconds", first / MILLI);
      map.put("tokens", tokens);
      map.put("p50_microseconds", median / MICRO);
      map.put("p99_microseconds", p99 / MICRO);
      map.put("slowest_microseconds", slowest / MICRO);
      return map;
    }

    Object[] cells() {
      return new Object[] {
        name,
        "%.1f ms".formatted(compiled / MILLI),
        "%.1f ms".formatted(first / MILLI),
        tokens,
        "%.0f us".formatted(median / MICRO),
        "%.0f us".formatted(p99 / MICRO),
        "%.0f us".formatted(slowest / MICRO)
      };
    }
  }

  private Result measure(String name, Supplier<Constraint> make, Tokenizer tokenizer) {
    long start = processorNanos();
    var made = make.get();
    long compiled = processorNanos() - start;
    double[] nanos = texts(made, tokenizer);
    double[] rest = Arrays.stream(nanos).skip(1).sorted().toArray();
    return new Result(
        name,
        compiled,
        nanos[0],
        nanos.length,
        percentile(rest, 0.5),
        percentile(rest, 0.99),
        percentile(rest, 1));
  }

  /// The nanoseconds of each token, in the order in which they were drawn.
  private double[] texts(Constraint constraint, Tokenizer tokenizer) {
    var random = new Random(1);
    var nanos = new ArrayList<Double>();
    for (int i = 0; i < texts; i++) {
      long start = processorNanos();
      var matcher = constraint.start(tokenizer);
      for (int left = maxTokens; left > 0 && !matcher.finished(); left--) {
        long[] allowed = matcher.allowed(left);
        long taken = processorNanos() - start;
        int token = draw(allowed, random);
        start = processorNanos() - taken;
        matcher.accept(token);
        long now = processorNanos();
        nanos.add((double) (now - start));
        start = now;
      }
    }
    return nanos.stream().mapToDouble(n -> n).toArray();
  }

  /// That of this thread, so that what else runs does not count.
  private static long processorNanos() {
    return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
  }

  /// One of them, each as likely as the others.
  private static int draw(long[] allowed, Random random) {
    int left = random.nextInt(Arrays.stream(allowed).mapToInt(Long::bitCount).sum());
    int word = 0;
    while (left >= Long.bitCount(allowed[word])) {
      left -= Long.bitCount(allowed[word++]);
    }
    long bits = allowed[word];
    for (; left > 0; left--) {
      bits &= bits - 1;
    }
    return Long.SIZE * word + Long.numberOfTrailingZeros(bits);
  }

  private static double percentile(double[] sorted, double share) {
    return sorted.length == 0 ? Double.NaN : sorted[(int) Math.ceil(share * sorted.length) - 1];
  }
}
