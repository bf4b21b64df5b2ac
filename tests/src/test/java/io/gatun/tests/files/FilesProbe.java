package io.gatun.tests.files;

import io.gatun.ffm.files.AtomicFile;
import io.gatun.ffm.files.UserCache;
import io.gatun.ffm.files.UserState;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.rewrite.Rewrite;
import io.gatun.tensor.DType;
import io.gatun.tensor.runtime.Workers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;

/// What [AtomicFileTest] starts: says that it has begun, and writes until it is killed.
final class FilesProbe {
  private FilesProbe() {}

  public static void main(String[] args) throws IOException, InterruptedException {
    Path out = Path.of(args[1]);
    switch (args[0]) {
      case "folders" -> {
        System.out.println(UserCache.folder());
        System.out.println(UserState.chatHistory());
      }
      case "write" -> {
        try (var file = new AtomicFile(out)) {
          file.channel().write(ByteBuffer.wrap(new byte[100]));
          forever();
        }
      }
      case "quantize" -> {
        try (var checkpoint = Checkpoint.open(Path.of(args[2]));
            var workers = new Workers(1)) {
          var rewrite = Rewrite.quantized(checkpoint, new DType.Tiled(4, 32));
          rewrite.write(out, workers, bytes -> forever());
        }
      }
      default -> throw new IllegalArgumentException(args[0]);
    }
  }

  private static void forever() {
    System.out.println("begun");
    try {
      new CountDownLatch(1).await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
