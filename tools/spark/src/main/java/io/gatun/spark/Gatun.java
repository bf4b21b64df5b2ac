package io.gatun.spark;

import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Iterator;
import java.util.function.Consumer;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.util.TaskCompletionListener;

/// Adds columns that models compute, in the executors' own processes.
///
/// ```java
/// var vectors = Gatun.embed(rows, "text", "vector", o -> o.model("/models/bge-small"));
/// ```
///
/// Each function adds two columns: the one that is named, and `NAME_error`, which is null where all
/// went well; what is wrong with a row is told there and harms no other row. Rows keep their order.
/// A task that is run again gives the same rows. A column that is not there, or is there already,
/// an option that the function does not use, and a cluster that lacks what models need are told at
/// once, by an `IllegalArgumentException`.
public final class Gatun {
  private Gatun() {}

  /// Vectors of texts (`array<float>`).
  public static Dataset<Row> embed(
      Dataset<Row> rows, String column, String output, Consumer<GatunOptions> choose) {
    return add(Task.EMBED, rows, column, output, choose);
  }

  /// What a language model goes on with (`string`).
  public static Dataset<Row> complete(
      Dataset<Row> rows, String column, String output, Consumer<GatunOptions> choose) {
    return add(Task.COMPLETE, rows, column, output, choose);
  }

  /// Answers (`string`) to questions, or to conversations: `array<struct<role,content>>`.
  public static Dataset<Row> chat(
      Dataset<Row> rows, String column, String output, Consumer<GatunOptions> choose) {
    return add(Task.CHAT, rows, column, output, choose);
  }

  /// How well a language model foresees texts (`double`).
  public static Dataset<Row> perplexity(
      Dataset<Row> rows, String column, String output, Consumer<GatunOptions> choose) {
    return add(Task.PERPLEXITY, rows, column, output, choose);
  }

  /// All masks of pictures, which are files (`binary`) or paths (`string`), as an array of structs
  /// with the masks' run lengths in COCO's form.
  public static Dataset<Row> segment(
      Dataset<Row> rows, String column, String output, Consumer<GatunOptions> choose) {
    return add(Task.SEGMENT, rows, column, output, choose);
  }

  /// Pictures of texts, as PNG files (`binary`).
  public static Dataset<Row> imagine(
      Dataset<Row> rows, String column, String output, Consumer<GatunOptions> choose) {
    return add(Task.IMAGINE, rows, column, output, choose);
  }

  /// Has Spark bring a model to the executors, where each machine keeps one copy under the sum of
  /// its contents. For models that lie in a folder that all machines see this is not needed, and
  /// large ones had better lie there: the driver sends the file to each machine.
  ///
  /// @return what [GatunOptions#model] takes
  public static String stage(SparkSession session, Path model) {
    return Staged.stage(session, model);
  }

  static Dataset<Row> add(
      Task task, Dataset<Row> rows, String column, String output, Consumer<GatunOptions> choose) {
    var options = new GatunOptions();
    choose.accept(options);
    if (options.model == null) {
      throw new IllegalArgumentException("no model is named; need model(PATH or NAME)");
    }
    options.check(task);
    var conf = rows.sparkSession().sparkContext().getConf();
    if (options.threads == 0) {
      options.threads = Cluster.cores(conf);
    }
    Cluster.check(conf, task, options);
    var names = Arrays.asList(rows.columns());
    int place = names.indexOf(column);
    if (place < 0) {
      throw new IllegalArgumentException(
          "there is no column \"%s\"; there are %s".formatted(column, names));
    }
    String error = output + "_error";
    for (String name : new String[] {output, error}) {
      if (names.contains(name)) {
        throw new IllegalArgumentException("there is a column \"%s\" already".formatted(name));
      }
    }
    task.check(rows.schema().fields()[place]);
    var schema = rows.schema().add(output, task.type, true).add(error, DataTypes.StringType, true);
    MapPartitionsFunction<Row, Row> work = part -> computed(part, task, options, place);
    return rows.mapPartitions(work, Encoders.row(schema));
  }

  private static Iterator<Row> computed(
      Iterator<Row> rows, Task task, GatunOptions options, int place) {
    if (!rows.hasNext()) {
      return rows;
    }
    var read = new ArrayDeque<Row>();
    var values =
        new Iterator<Object>() {
          @Override
          public boolean hasNext() {
            return rows.hasNext();
          }

          @Override
          public Object next() {
            var row = rows.next();
            read.add(row);
            return row.get(place);
          }
        };
    var context = TaskContext.get();
    var outcomes = task.outcomes(options, context.partitionId(), values);
    if (outcomes instanceof Answers answers) {
      context.addTaskCompletionListener((TaskCompletionListener) c -> answers.close());
    }
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return outcomes.hasNext();
      }

      @Override
      public Row next() {
        var outcome = outcomes.next();
        if (options.metrics != null) {
          options.metrics.add(outcome);
        }
        var row = read.remove();
        int n = row.size();
        var all = new Object[n + 2];
        for (int i = 0; i < n; i++) {
          all[i] = row.get(i);
        }
        all[n] = outcome.value();
        all[n + 1] = outcome.error();
        return RowFactory.create(all);
      }
    };
  }
}
