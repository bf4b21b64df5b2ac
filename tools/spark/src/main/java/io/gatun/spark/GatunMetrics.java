package io.gatun.spark;

import java.io.Serializable;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;

/// What executors count, summed up by the driver and shown in Spark's pages. Rows of a task that is
/// run again count again.
public final class GatunMetrics implements Serializable {
  private static final long serialVersionUID = 1;

  private final LongAccumulator rows;
  private final LongAccumulator failed;
  private final LongAccumulator tokensRead;
  private final LongAccumulator tokensWritten;

  private GatunMetrics(SparkContext context) {
    rows = context.longAccumulator("gatun.rows");
    failed = context.longAccumulator("gatun.rows.failed");
    tokensRead = context.longAccumulator("gatun.tokens.read");
    tokensWritten = context.longAccumulator("gatun.tokens.written");
  }

  /// Counters of a session.
  public static GatunMetrics of(SparkSession session) {
    return new GatunMetrics(session.sparkContext());
  }

  void add(Outcome outcome) {
    rows.add(1);
    failed.add(outcome.error() == null ? 0 : 1);
    tokensRead.add(outcome.read());
    tokensWritten.add(outcome.written());
  }

  /// Rows that were computed.
  public long rows() {
    return rows.value();
  }

  /// Of these, those with an error.
  public long failed() {
    return failed.value();
  }

  /// Tokens of texts and prompts.
  public long tokensRead() {
    return tokensRead.value();
  }

  /// Tokens of answers.
  public long tokensWritten() {
    return tokensWritten.value();
  }

  @Override
  public String toString() {
    return "%d rows, %d with errors, %d tokens read, %d written"
        .formatted(rows(), failed(), tokensRead(), tokensWritten());
  }
}
