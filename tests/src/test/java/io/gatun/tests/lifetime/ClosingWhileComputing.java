package io.gatun.tests.lifetime;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.Llm;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/// Closes what other threads compute with, in a process of its own: where that is not waited for,
/// the process dies. Ends with `fine`.
final class ClosingWhileComputing {
  private static final int N = 2048;
  private static final int K = 4096;

  private ClosingWhileComputing() {}

  public static void main(String[] args) throws Exception {
    Path file = Files.createTempFile("gatun-closing", ".safetensors");
    try {
      for (var dtype : List.of(DType.Plain.BF16, DType.Plain.F16, DType.Plain.F32)) {
        write(file, dtype);
        for (int rows : new int[] {1, 40}) {
          for (int round = 0; round < 6; round++) {
            checkpoint(file, rows, 1 + round % 2);
          }
        }
      }
      for (int round = 0; round < 10; round++) {
        workspace();
        modelsWeights();
        inACircle(file);
      }
    } finally {
      Files.delete(file);
    }
    System.out.println("fine");
  }

  /// Zeros, of which the disk keeps nothing.
  private static void write(Path file, DType.Plain dtype) throws IOException {
    long bytes = (long) N * K * dtype.blockBytes();
    var header =
        "{\"w\":{\"dtype\":\"%s\",\"shape\":[%d,%d],\"data_offsets\":[0,%d]}}"
            .formatted(dtype.name(), N, K, bytes)
            .getBytes(StandardCharsets.UTF_8);
    try (var channel =
        FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
      var length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      channel.write(length.putLong(0, header.length), 0);
      channel.write(ByteBuffer.wrap(header), 8);
      channel.write(ByteBuffer.allocate(1), 8 + header.length + bytes - 1);
    }
  }

  private static void checkpoint(Path file, int rows, int threads) throws Exception {
    var checkpoint = Checkpoint.open(file);
    Tensor w = checkpoint.tensor("w");
    try (var ops = new Ops(Backend.NATIVE, threads)) {
      untilClosed(ops, floats(rows, K), w, checkpoint);
    }
  }

  private static void workspace() throws Exception {
    var ops = new Ops(Backend.NATIVE, 1);
    Tensor x = ops.empty(1, K);
    x.segment().fill((byte) 0);
    Tensor w = ops.workspace().take(DType.Plain.BF16, N, K);
    w.segment().fill((byte) 0);
    try (var others = new Ops(Backend.NATIVE, 2)) {
      untilClosed(others, x, w, ops);
    }
  }

  private static void modelsWeights() throws Exception {
    var llm = Llm.load(TestData.pretrained("tiny-llm"), o -> o.threads(1));
    Tensor w = llm.checkpoint().tensor("model.embed_tokens.weight");
    try (var ops = new Ops(Backend.NATIVE, 2)) {
      untilClosed(ops, floats(64, w.dim(1)), w, llm);
    }
  }

  /// Two threads that are both inside, and close what the other might be reading; one then wants
  /// what the other has.
  private static void inACircle(Path file) throws Exception {
    try (var a = new Ops(Backend.NATIVE, 1);
        var b = new Ops(Backend.NATIVE, 1)) {
      var both = new CountDownLatch(2);
      var first = started(() -> inside(a, b, both, Checkpoint.open(file)));
      var second = started(() -> inside(b, a, both, Checkpoint.open(file)));
      first.get();
      second.get();
    }
  }

  private static void inside(Ops own, Ops other, CountDownLatch both, Checkpoint checkpoint) {
    try (var _ = own.owner().turn()) {
      both.countDown();
      both.await();
      checkpoint.close();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
    try (var _ = other.owner().turn()) {
      other.empty(1);
    }
  }

  private static void untilClosed(Ops ops, Tensor x, Tensor w, AutoCloseable what)
      throws Exception {
    var computing = new CountDownLatch(1);
    var compute =
        started(
            () -> {
              while (true) {
                try (var _ = ops.scope()) {
                  ops.linear(x, w);
                }
                computing.countDown();
              }
            });
    computing.await();
    Thread.sleep(2);
    what.close();
    try {
      compute.get();
      throw new AssertionError("computed with what is closed");
    } catch (ExecutionException e) {
      if (!(e.getCause() instanceof IllegalStateException closed)
          || !closed.getMessage().contains("closed")) {
        throw e;
      }
    }
  }

  private static FutureTask<Void> started(Runnable work) {
    var task = new FutureTask<Void>(work, null);
    Thread.ofPlatform().daemon().start(task);
    return task;
  }

  private static Tensor floats(long... dims) {
    return Tensor.allocate(Arena.ofAuto(), DType.Plain.F32, dims);
  }
}
