package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType.Plain;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.sequence.Span;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Whatever a caller of tensors and operations can get wrong is refused in a sentence.
class TensorArgumentsTest {
  private static final Ops OPS = new Ops(Backend.VECTOR, 1);
  private static final Cached CACHE = Cached.of(1, 32, Plain.F32, 64);

  @AfterAll
  static void close() {
    CACHE.close();
    OPS.close();
  }

  private static Tensor tensor(long... dims) {
    return Tensor.allocate(Arena.ofAuto(), Plain.F32, dims);
  }

  static Stream<Arguments> wrong() {
    Tensor x = tensor(2, 32);
    Tensor w = tensor(32, 32);
    Tensor none = tensor(2, 0);
    Tensor heads = tensor(2, 1, 32);
    Tensor one = tensor(1, 1, 32);
    var spans = List.of(new Span(0, 2, 0, CACHE.sequence()));
    return Stream.of(
        wrong("dimensions", () -> Shape.of(new long[65])),
        wrong("negative", () -> Shape.of(2, -1)),
        wrong("more elements", () -> Shape.of(1L << 40, 1L << 40)),
        wrong("dimension 2", () -> x.dim(2)),
        wrong("dimension -3", () -> x.shape().dim(-3)),
        wrong("dimension 2", () -> x.stride(2)),
        wrong("dimension 5", () -> x.transpose(0, 5)),
        wrong("slice", () -> x.slice(0, -1, 1)),
        wrong("slice", () -> x.slice(0, 0, 3)),
        wrong("element 2", () -> x.get(2)),
        wrong("indices", () -> x.getFloat(1)),
        wrong("index -1", () -> x.getFloat(0, -1)),
        wrong("cannot view", () -> x.reshape(3, 3)),
        wrong("leaves the segment", () -> Tensor.strided(x.segment(), Plain.F32, x.shape(), -1, 1)),
        wrong("values given", () -> Tensor.ofFloats(Arena.ofAuto(), new float[3], 2)),
        wrong("shape", () -> x.plus(tensor(3))),
        wrong("(2, 32)", () -> x.matmul(x)),
        wrong("threads", () -> new Ops(Backend.VECTOR, 0)),
        wrong("backend", () -> new Ops(null, 1)),
        wrong("precision", () -> new Ops(Backend.VECTOR, 1, null)),
        wrong("negative", () -> OPS.empty(-1)),
        wrong("token id is -1", () -> OPS.embedding(new int[] {-1}, w)),
        wrong("token id is 32", () -> OPS.embedding(new int[] {32}, w)),
        wrong("row is 2", () -> OPS.gatherRows(x, new int[] {2})),
        wrong("columns", () -> OPS.linear(x, tensor(32, 31))),
        wrong("eps", () -> OPS.rmsNorm(x, tensor(32), Float.NaN)),
        wrong("eps", () -> OPS.normed(x, tensor(32), -1)),
        wrong("columns", () -> OPS.rmsNorm(none, tensor(0), 1e-5f)),
        wrong("columns", () -> OPS.softmax(none)),
        wrong("columns", () -> OPS.logSoftmax(none, new int[] {0, 0})),
        wrong("columns", () -> OPS.addBias(none, tensor(0))),
        wrong("NaN", () -> OPS.argmax(none, 0)),
        wrong("head size", () -> OPS.rope(tensor(2, 1, 31), tensor(2, 31), tensor(2, 31), false)),
        wrong("factor", () -> OPS.addScaledRow(x, 0, tensor(1, 32), Float.NaN)),
        wrong("position", () -> CACHE.attention(OPS, heads, -1, new AttentionSpec(1, 0))),
        wrong("part", () -> OPS.attention(heads, spans, 1, new AttentionSpec(1, 0))),
        wrong("scale", () -> CACHE.attention(OPS, heads, 0, new AttentionSpec(Float.NaN, 0))),
        wrong("window", () -> CACHE.attention(OPS, heads, 0, new AttentionSpec(1, -1))),
        wrong("position", () -> CACHE.put(OPS, -1, heads, heads)),
        wrong("part", () -> OPS.put(spans, -1, heads, heads)),
        wrong("row", () -> OPS.put(spans, 0, one, one)),
        wrong("room", () -> CACHE.put(OPS, 63, heads, heads)));
  }

  private static Arguments wrong(String named, Runnable call) {
    return Arguments.of(named, call);
  }

  @ParameterizedTest
  @MethodSource("wrong")
  void isRefused(String named, Runnable call) {
    var error = assertThrows(RuntimeException.class, call::run);
    assertTrue(
        error instanceof IllegalArgumentException
            || error instanceof NullPointerException
            || error instanceof IndexOutOfBoundsException,
        error::toString);
    String message = String.valueOf(error.getMessage());
    assertTrue(message.contains(named) && message.contains(" "), message);
    // What the JVM says of itself.
    assertTrue(!message.startsWith("Cannot ") && !message.startsWith("Index "), message);
  }

  @Test
  void sixtyFourDimensionsAreFine() {
    assertEquals(64, Shape.of(new long[64]).rank());
  }
}
