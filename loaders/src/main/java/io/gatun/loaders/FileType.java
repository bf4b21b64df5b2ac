package io.gatun.loaders;

import io.gatun.loaders.file.FileContents;
import io.gatun.loaders.file.SourceFile;
import io.gatun.loaders.gguf.GgufReader;
import io.gatun.loaders.pth.PthReader;
import io.gatun.loaders.safetensors.SafetensorsReader;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/// Tells by its first bytes what a file is, and reads it, or says what it is instead.
final class FileType {
  private static final int LOOK = 512;

  /// Beginnings of files that people take for checkpoints, and what to do with them.
  private static final Map<String, String> REFUSED = new LinkedHashMap<>();

  static {
    String llama = "a model of llama.cpp from before GGUF; convert the original to GGUF again";
    REFUSED.put("tjgg", llama);
    REFUSED.put("lmgg", llama);
    REFUSED.put("fmgg", llama);
    REFUSED.put("\u0093NUMPY", "a NumPy array; save it as safetensors");
    REFUSED.put("\u0089HDF", "an HDF5 (Keras) file; save the weights as safetensors");
    REFUSED.put("\u001f\u008b", "compressed with gzip; unpack it first");
    REFUSED.put("(\u00b5/\u00fd", "compressed with zstd; unpack it first");
    REFUSED.put("7z\u00bc\u00af", "a 7z archive; unpack it first");
    REFUSED.put("Rar!", "a RAR archive; unpack it first");
    REFUSED.put("%PDF", "a PDF document");
    REFUSED.put(
        "version https://git-lfs",
        "a git-lfs pointer, which stands for the real file; get that with: git lfs pull");
  }

  private FileType() {}

  /// @throws CheckpointException if the file is damaged or no checkpoint
  static FileContents read(SourceFile file) {
    if (file.size() == 0) {
      throw file.error("is empty; a download may have failed: get it again");
    }
    MemorySegment start = file.slice(0, Math.min(LOOK, file.size()), "the file");
    String text = new String(start.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.ISO_8859_1);
    if (text.startsWith("GGUF")) {
      return GgufReader.read(file);
    }
    if (text.startsWith("PK\3\4")) {
      return PthReader.readZip(file);
    }
    if (text.startsWith("\u0080") && text.length() > 1 && text.charAt(1) <= 5) {
      return PthReader.readLegacy(file);
    }
    REFUSED.forEach(
        (magic, what) -> {
          if (text.startsWith(magic)) {
            throw file.error("is no checkpoint but " + what);
          }
        });
    String trimmed = text.strip().toLowerCase(Locale.ROOT);
    if (trimmed.startsWith("<!doctype") || trimmed.startsWith("<html")) {
      throw file.error(
          "is no checkpoint but a web page: the download asked for a log-in or met an error; look"
              + " at it in a browser, then get the file again");
    }
    if (text.startsWith("ustar", 257)) {
      throw file.error(
          "is no checkpoint but a tar archive; unpack it first (a model of PyTorch 0.1 must be"
              + " saved again by a newer one)");
    }
    boolean named = file.path().toString().endsWith(".safetensors");
    if (text.startsWith("{", 8) || (named && !trimmed.startsWith("{"))) {
      return SafetensorsReader.read(file);
    }
    throw file.error(
        "is no checkpoint: begins with %s; safetensors, GGUF and PyTorch (.pth, .pt, .bin) files are read"
            .formatted(
                trimmed.startsWith("{") || trimmed.startsWith("[")
                    ? "JSON text"
                    : bytes(text.substring(0, Math.min(8, text.length())))));
  }

  private static String bytes(String text) {
    var hex = new StringBuilder("the bytes");
    text.chars().forEach(c -> hex.append(String.format(Locale.ROOT, " %02x", c)));
    return hex.toString();
  }
}
