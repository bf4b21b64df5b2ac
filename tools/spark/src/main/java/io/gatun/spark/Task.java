package io.gatun.spark;

import io.gatun.models.image.ImageException;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.function.BiFunction;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;

/// What a column can be computed by.
enum Task {
  COMPLETE(DataTypes.StringType),
  CHAT(DataTypes.StringType),
  EMBED(DataTypes.createArrayType(DataTypes.FloatType, false)),
  PERPLEXITY(DataTypes.DoubleType),
  SEGMENT(DataTypes.createArrayType(Masks.TYPE, false)),
  IMAGINE(DataTypes.BinaryType);

  final DataType type;

  Task(DataType type) {
    this.type = type;
  }

  /// @throws IllegalArgumentException if the task does not read such a column
  void check(StructField column) {
    var given = column.dataType();
    boolean reads =
        switch (this) {
          case SEGMENT -> given.equals(DataTypes.StringType) || given.equals(DataTypes.BinaryType);
          case CHAT -> given.equals(DataTypes.StringType) || Conversations.isOne(given);
          default -> given.equals(DataTypes.StringType);
        };
    if (!reads) {
      throw new IllegalArgumentException(
          "the column %s is of type %s; %s reads %s"
              .formatted(column.name(), given.simpleString(), words(), needed()));
    }
  }

  private String needed() {
    return switch (this) {
      case SEGMENT -> "paths (string) or files (binary)";
      case CHAT -> "texts (string) or conversations (array<struct<role:string,content:string>>)";
      default -> "texts (string)";
    };
  }

  String words() {
    return name().toLowerCase(Locale.ROOT);
  }

  /// The outcomes of a partition's values, in turn.
  Iterator<Outcome> outcomes(GatunOptions options, int partition, Iterator<Object> values) {
    return switch (this) {
      case COMPLETE, CHAT -> new Answers(Models.chat(options), this, options, partition, values);
      case EMBED -> {
        var model = Models.embedder(options);
        yield new Batches(
            values, options.batch, (batch, first) -> Vectors.of(model, options, batch));
      }
      case PERPLEXITY -> {
        var model = Models.llm(options);
        yield each(
            values,
            (value, row) -> {
              synchronized (model) { // one text at a time computes with all threads
                var found = model.perplexity((String) value);
                return new Outcome(found.perplexity(), null, found.tokens(), 0);
              }
            });
      }
      case SEGMENT -> {
        var model = Models.sam(options);
        yield each(values, (value, row) -> Outcome.of(Masks.of(model, options, value)));
      }
      case IMAGINE -> {
        var model = Models.diffusion(options);
        yield each(
            values,
            (value, row) ->
                Outcome.of(
                    Pictures.of(model, options, (String) value, options.seed(partition, row))));
      }
    };
  }

  private static Iterator<Outcome> each(
      Iterator<Object> values, BiFunction<Object, Long, Outcome> one) {
    return new Batches(
        values,
        1,
        (batch, first) -> {
          Object value = batch.getFirst();
          if (value == null) {
            return List.of(Outcome.failed("there is nothing: the value is null"));
          }
          try {
            return List.of(one.apply(value, first));
          } catch (IllegalArgumentException | ImageException e) {
            return List.of(Outcome.failed(e));
          }
        });
  }
}
