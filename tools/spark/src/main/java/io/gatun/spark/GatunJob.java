package io.gatun.spark;

import io.gatun.loaders.CheckpointException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import org.apache.spark.SparkConf;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// A job for `spark-submit`: reads rows, has a model compute a column of them, and writes them.
@Command(
    name = "gatun spark",
    description = "Has a model compute a column of a dataset's rows, on a Spark cluster.",
    sortOptions = false)
public final class GatunJob implements Callable<Integer> {
  private static final String LOCAL = "local[1]";

  /// How an executor's exception is told by the driver's.
  private static final String CHECKPOINT = CheckpointException.class.getName() + ": ";

  @Spec private CommandSpec spec;

  @Option(
      names = "--task",
      defaultValue = "COMPLETE",
      paramLabel = "TASK",
      description = "complete, chat, embed, perplexity, segment or imagine; by default complete.")
  private Task task;

  @Option(
      names = {"-m", "--model"},
      required = true,
      paramLabel = "MODEL",
      description = "A path that all executors see, or a name.")
  private String model;

  @Option(
      names = "--stage",
      description = "Bring the model, a file or folder here, to the executors.")
  private boolean stage;

  @Option(
      names = "--input",
      required = true,
      paramLabel = "PATH",
      description = "What to read: .parquet, .json, .jsonl, .csv, .orc, or text, a row a line.")
  private String input;

  @Option(
      names = "--column",
      defaultValue = "text",
      paramLabel = "NAME",
      description = "The column that the model reads; by default text.")
  private String column;

  @Option(
      names = "--output",
      required = true,
      paramLabel = "PATH",
      description = "The folder to write, in the form that its name ends with.")
  private String output;

  @Option(
      names = "--result",
      defaultValue = "result",
      paramLabel = "NAME",
      description =
          "The column that the model computes; by default result. Its errors are in"
              + " NAME_error.")
  private String result;

  @Option(names = "--overwrite", description = "Replace what is there.")
  private boolean overwrite;

  @Option(
      names = "--partitions",
      paramLabel = "N",
      description = "Distribute the rows anew over so many tasks, which shuffles their order.")
  private Integer partitions;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads an executor's model computes with; by default its cores.")
  private Integer threads;

  @Option(
      names = "--parallel",
      paramLabel = "N",
      description = "Answers written at once in an executor; by default 8.")
  private Integer parallel;

  @Option(
      names = "--context",
      paramLabel = "N",
      description = "The most tokens of a prompt and its answer.")
  private Integer context;

  @Option(
      names = {"-n", "--max-tokens"},
      paramLabel = "N",
      description = "The most tokens of an answer; by default 256.")
  private Integer maxTokens;

  @Option(
      names = {"--temp", "--temperature"},
      paramLabel = "T",
      description = "By default 0.8; 0 takes the likeliest token each time.")
  private Double temperature;

  @Option(names = "--system", paramLabel = "TEXT", description = "What chats begin with.")
  private String system;

  @Option(
      names = "--schema",
      paramLabel = "FILE",
      description = "A JSON schema that answers follow.")
  private Path schema;

  @Option(names = "--truncate", description = "Cut texts that are too long to embed.")
  private Boolean truncate;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Texts embedded together; by default 32.")
  private Integer batch;

  @Option(
      names = "--points-per-side",
      paramLabel = "N",
      description = "Points that masks are asked for, N x N in a picture; by default 32.")
  private Integer pointsPerSide;

  @Option(names = "--steps", paramLabel = "N", description = "Steps of a picture's scheduler.")
  private Integer steps;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Rows have seeds that come from this one; by default 0.")
  private Long seed;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  private boolean help;

  @Option(names = "--debug", description = "Show where an error comes from.")
  private boolean debug;

  private GatunJob() {}

  /// Runs a job in this process, and returns 2 for mistakes of the user, 1 for ours, else 0.
  ///
  /// @param args as of `gatun spark`
  public static int run(String... args) {
    return new CommandLine(new GatunJob()).setCaseInsensitiveEnumValuesAllowed(true).execute(args);
  }

  /// Ends with the exit code that [#run] returns.
  public static void main(String[] args) {
    int code = run(args);
    if (code != 0) {
      System.exit(code); // else Spark ends the process when it is done
    }
  }

  @Override
  public Integer call() throws Exception {
    try {
      checkOutput();
      String text = schema == null ? null : Files.readString(existing(schema));
      checkCluster(text);
      return compute(text);
    } catch (ParameterException e) {
      throw e;
    } catch (Exception e) { // Spark declares none of its own
      return fail(e);
    }
  }

  /// Before rows are computed for nothing.
  private void checkOutput() {
    String format = format(output);
    boolean isFlat = task != Task.SEGMENT && task != Task.EMBED;
    if (format.equals("text") || format.equals("csv") && !isFlat) {
      throw new ParameterException(
          spec.commandLine(),
          "--output %s: need a name that ends with .parquet, .json, .jsonl%s or .orc"
              .formatted(output, isFlat ? ", .csv" : ""));
    }
  }

  /// Before executors are started for nothing.
  private void checkCluster(String text) {
    var conf = new SparkConf();
    conf.setIfMissing("spark.master", LOCAL);
    var options = new GatunOptions();
    fill(options, model, text, null);
    options.check(task);
    Cluster.check(conf, task, options);
  }

  private int compute(String text) throws Exception {
    try (var spark = session()) {
      var metrics = GatunMetrics.of(spark);
      String found = stage ? Gatun.stage(spark, existing(Path.of(model))) : model;
      var rows = read(spark);
      if (partitions != null) {
        rows = rows.repartition(partitions);
      }
      var computed = Gatun.add(task, rows, column, result, o -> fill(o, found, text, metrics));
      write(computed);
      System.err.println("gatun: " + metrics);
      return 0;
    }
  }

  private static SparkSession session() {
    var builder = SparkSession.builder().appName("gatun");
    if (System.getProperty("spark.master") == null) {
      builder.master(LOCAL);
    }
    return builder.getOrCreate();
  }

  private void fill(GatunOptions o, String found, String text, GatunMetrics metrics) {
    o.model(found).metrics(metrics);
    given(threads, o::threads);
    given(parallel, o::parallel);
    given(context, o::context);
    given(maxTokens, o::maxTokens);
    given(temperature, o::temperature);
    given(system, o::system);
    given(text, o::schema);
    given(truncate, o::truncate);
    given(batch, o::batch);
    given(pointsPerSide, o::pointsPerSide);
    given(steps, o::steps);
    given(seed, o::seed);
  }

  private static <T> void given(T value, Consumer<T> set) {
    if (value != null) {
      set.accept(value);
    }
  }

  private static String format(String path) {
    int dot = path.lastIndexOf('.');
    return switch (path.substring(dot + 1).replaceAll("/$", "")) {
      case "parquet" -> "parquet";
      case "json", "jsonl" -> "json";
      case "csv" -> "csv";
      case "orc" -> "orc";
      default -> "text";
    };
  }

  private Dataset<Row> read(SparkSession spark) {
    var rows = spark.read().option("header", true).format(format(input)).load(input);
    return format(input).equals("text") ? rows.withColumnRenamed("value", column) : rows;
  }

  private void write(Dataset<Row> rows) {
    rows.write()
        .mode(overwrite ? SaveMode.Overwrite : SaveMode.ErrorIfExists)
        .option("header", true)
        .format(format(output))
        .save(output);
  }

  private static Path existing(Path path) {
    if (!Files.exists(path)) {
      throw new IllegalArgumentException(path + ": there is no such file or folder");
    }
    return path;
  }

  /// Mistakes of the user, which those of a model on an executor are, too, end with code 2.
  private int fail(Exception e) {
    if (debug) {
      e.printStackTrace();
    }
    String message = String.valueOf(e.getMessage());
    int found = message.indexOf(CHECKPOINT);
    if (found >= 0) {
      message = message.substring(found + CHECKPOINT.length()).lines().findFirst().orElse("");
    }
    System.err.println("gatun spark: " + message);
    return found >= 0 || e instanceof IllegalArgumentException || e instanceof AnalysisException
        ? 2
        : 1;
  }
}
