package io.gatun.spark;

import io.gatun.ffm.files.UserCache;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import org.apache.spark.SparkFiles;
import org.apache.spark.sql.SparkSession;

/// Models that Spark brings to its executors: each machine keeps one copy, under the sum of its
/// contents, for all executors and jobs.
final class Staged {
  private static final String SCHEME = "staged:";

  private Staged() {}

  static String stage(SparkSession session, Path model) {
    session.sparkContext().addFile(model.toAbsolutePath().toString(), Files.isDirectory(model));
    return SCHEME + sum(model) + "/" + model.getFileName();
  }

  /// Where a model lies on this machine.
  static String resolve(String model) {
    if (!model.startsWith(SCHEME)) {
      return model;
    }
    String sum = model.substring(SCHEME.length(), model.indexOf('/'));
    String name = model.substring(model.indexOf('/') + 1);
    try {
      Path folder = Files.createDirectories(UserCache.open("staged").resolve(sum));
      Path kept = folder.resolve(name);
      try (var lock =
          FileChannel.open(
              folder.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
        lock.lock();
        if (!Files.exists(kept)) {
          bring(Path.of(SparkFiles.get(name)), kept, sum);
        }
      }
      return kept.toString();
    } catch (IOException e) {
      throw new UncheckedIOException("the model " + name + " cannot be kept: " + e.getMessage(), e);
    }
  }

  private static void bring(Path from, Path kept, String sum) throws IOException {
    String found = sum(from);
    if (!found.equals(sum)) {
      throw new IOException("what Spark brought has the sum %s; need %s".formatted(found, sum));
    }
    Path part = kept.resolveSibling(kept.getFileName() + ".part");
    for (Path file : files(from)) {
      Path to = from.equals(file) ? part : part.resolve(from.relativize(file).toString());
      Files.createDirectories(to.getParent());
      Files.copy(file, to, StandardCopyOption.REPLACE_EXISTING);
    }
    Files.move(part, kept, StandardCopyOption.ATOMIC_MOVE);
  }

  private static List<Path> files(Path path) throws IOException {
    try (var all = Files.walk(path)) {
      return all.filter(Files::isRegularFile).sorted().toList();
    }
  }

  /// SHA-256 over all files' names and contents.
  static String sum(Path path) {
    try {
      var digest = MessageDigest.getInstance("SHA-256");
      byte[] block = new byte[1 << 20];
      for (Path file : files(path)) {
        String name = path.equals(file) ? "" : path.relativize(file).toString();
        digest.update((name + "\n" + Files.size(file) + "\n").getBytes(StandardCharsets.UTF_8));
        try (InputStream in = Files.newInputStream(file)) {
          for (int n = in.read(block); n >= 0; n = in.read(block)) {
            digest.update(block, 0, n);
          }
        }
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (IOException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
