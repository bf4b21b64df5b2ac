package io.gatun.benchmarks;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import java.lang.foreign.Arena;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// Products with the gate and up projections of a 1.1B Llama, (11264, 2048), in each kind of
/// weight. There are so many of them that each is read from memory, as in decoding.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {
      "@tools/kernel.options",
      "--add-modules=jdk.incubator.vector",
      "--enable-native-access=ALL-UNNAMED",
      "-XX:MaxDirectMemorySize=1t"
    })
public class WeightProducts {
  private static final int N = 11264;
  private static final int K = 2048;
  private static final int MATRICES = 12;

  @Param({"INT4_G32", "INT4_G128", "INT8_G32", "Q4_0", "Q8_0", "BF16"})
  String type;

  /// Tokens at once: 1 in decoding.
  @Param({"1", "16"})
  int rows;

  private final Arena arena = Arena.ofShared();
  private final Tensor[] weights = new Tensor[MATRICES];
  private final Ops ops = new Ops(Backend.NATIVE, processors(), Precision.FAST);
  private Tensor x;
  private int next;

  private static int processors() {
    return Runtime.getRuntime().availableProcessors();
  }

  private static DType dtype(String name) {
    return switch (name) {
      case "INT4_G32" -> new DType.Tiled(4, 32);
      case "INT4_G128" -> new DType.Tiled(4, 128);
      case "INT8_G32" -> new DType.Tiled(8, 32);
      case "BF16" -> DType.Plain.BF16;
      default -> DType.Block.valueOf(name);
    };
  }

  @Setup
  public void fill() {
    var random = new Random(arena);
    x = random.numbers(DType.Plain.F32, rows, K);
    weights[0] = random.weight(ops.workers(), dtype(type), N, K);
    for (int i = 1; i < MATRICES; i++) {
      weights[i] = Tensor.allocate(arena, weights[0].dtype(), N, K);
      weights[i].segment().copyFrom(weights[0].segment());
    }
  }

  @TearDown
  public void close() {
    ops.close();
    arena.close();
  }

  @Benchmark
  public Tensor linear() {
    try (var _ = ops.scope()) {
      next = (next + 1) % MATRICES;
      return ops.linear(x, weights[next]);
    }
  }
}
