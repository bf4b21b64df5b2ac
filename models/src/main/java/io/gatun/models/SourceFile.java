package io.gatun.models;

import io.gatun.loaders.hub.Hub;
import io.gatun.models.image.Image;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/// A file that an image was made with, as its parameters tell it: enough to know the file again,
/// and nothing of where it lay. Parameters come from anywhere, so no file is ever opened because of
/// them.
///
/// @param name the file's own name, without a folder; empty for pictures, which are known by hash
/// @param hash the first ten hexadecimal digits of the SHA-256 of the file's bytes, or of a
///   picture's sizes and pixels; empty for a folder, for models, whose files are too large to be
///   hashed for each image, and where it is not known
/// @param scale how strongly an adaptation was added; 1 for others
public record SourceFile(Kind kind, String name, String hash, double scale) {
  /// What a file was to the image.
  public enum Kind {
    MODEL,
    NETWORK,
    TEXT_ENCODER,
    VAE,
    LORA,
    EMBEDDING,
    CONTROLNET,
    CONTROL_IMAGE,
    REFERENCE,
    INIT_IMAGE,
    MASK
  }

  private static final int DIGITS = 10;
  private static final int CHUNK = 1 << 20;

  /// A file that is too large to be hashed for each image.
  static SourceFile named(Kind kind, Path file) {
    return new SourceFile(kind, name(file), "", 1);
  }

  static SourceFile of(Kind kind, Path file, double scale) {
    return new SourceFile(kind, name(file), hash(file), scale);
  }

  static SourceFile of(Kind kind, Image picture) {
    return new SourceFile(kind, "", hash(picture), 1);
  }

  /// Whether this is the file: by its content where that is known, else by its name.
  public boolean is(Path file) {
    String other = hash.isEmpty() ? "" : hash(file);
    return other.isEmpty() ? name.equals(name(file)) : hash.equals(other);
  }

  /// Whether this is the picture.
  public boolean is(Image picture) {
    return hash.isEmpty() || hash.equals(hash(picture));
  }

  /// `style.safetensors (sha256 0123456789)`.
  @Override
  public String toString() {
    return (name + (hash.isEmpty() ? "" : " (sha256 " + hash + ")")).strip();
  }

  /// A path's last part, also of `.` and of paths of other systems; of a folder in the hub's cache
  /// the model's name.
  static String name(Path file) {
    Path last = file.toAbsolutePath().normalize().getFileName();
    if (Files.isDirectory(file) && Hub.nameOf(file).isPresent()) {
      return name(Hub.nameOf(file).get());
    }
    return last == null ? "" : name(last.toString());
  }

  /// What follows the last slash, either way it leans.
  static String name(String path) {
    return path.substring(1 + Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')));
  }

  private static String hash(Path file) {
    if (!Files.isRegularFile(file)) {
      return "";
    }
    var digest = sha256();
    try (var channel = FileChannel.open(file)) {
      var chunk = ByteBuffer.allocate(CHUNK);
      while (channel.read(chunk.clear()) >= 0) {
        digest.update(chunk.flip());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return digits(digest);
  }

  private static String hash(Image picture) {
    var digest = sha256();
    digest.update(picture.toString().getBytes(StandardCharsets.US_ASCII));
    digest.update(picture.pixels().asByteBuffer());
    return digits(digest);
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every JDK has it
    }
  }

  private static String digits(MessageDigest digest) {
    return HexFormat.of().formatHex(digest.digest()).substring(0, DIGITS);
  }
}
