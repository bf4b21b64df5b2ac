package io.gatun.benchmarks;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.ConvWeight.Padding;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
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

/// What Segment Anything ViT-B and Stable Diffusion 1.5 spend their time in, in their shapes.
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
public class NetworkOperations {
  @Param({"BF16", "F32"})
  DType.Plain dtype;

  private final Arena arena = Arena.ofShared();
  private final Ops ops = new Ops(Backend.NATIVE, Runtime.getRuntime().availableProcessors());
  private Functional f;

  private Tensor tokens;
  private LinearWeight mlp;
  private Tensor qkv;
  private Tensor image;
  private ConvWeight conv;
  private Tensor latents;
  private Tensor context;

  @Setup
  public void fill() {
    f = new Functional(ops, dtype);
    var random = new Random(arena);
    tokens = random.numbers(dtype, 4096, 768);
    mlp = LinearWeight.of(random.numbers(dtype, 3072, 768), random.numbers(DType.Plain.F32, 3072));
    qkv = random.numbers(dtype, 1, 4096, 3 * 768);
    image = random.numbers(dtype, 2, 32, 32, 640);
    var kernels = random.numbers(dtype, 640, 640, 3, 3);
    conv = ConvWeight.of(kernels, random.numbers(dtype, 640), 1, Padding.of(1));
    latents = random.numbers(dtype, 2, 4096, 320);
    context = random.numbers(dtype, 2, 77, 320);
  }

  @TearDown
  public void close() {
    ops.close();
    arena.close();
  }

  /// SAM's first linear layer of an MLP.
  @Benchmark
  public void samLinear() {
    try (var _ = f.scope()) {
      f.linear(tokens, mlp);
    }
  }

  /// SAM's global attention without its positions.
  @Benchmark
  public void samAttention() {
    try (var _ = f.scope()) {
      f.attention(part(0), part(1), part(2), 12, AttentionSpec.full(0.125f));
    }
  }

  private Tensor part(int i) {
    return qkv.slice(2, 768L * i, 768L * (i + 1));
  }

  /// A convolution in the middle of the UNet.
  @Benchmark
  public void unetConvolution() {
    try (var _ = f.scope()) {
      f.conv2d(image, conv);
    }
  }

  /// The UNet's attention to the text.
  @Benchmark
  public void unetCrossAttention() {
    try (var _ = f.scope()) {
      f.attention(latents, context, context, 8, AttentionSpec.full(0.158f));
    }
  }
}
