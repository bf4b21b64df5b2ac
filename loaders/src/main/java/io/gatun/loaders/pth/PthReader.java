package io.gatun.loaders.pth;

import io.gatun.loaders.file.FileContents;
import io.gatun.loaders.file.SourceFile;

/// Reads what `torch.save` writes.
public final class PthReader {
  private PthReader() {}

  /// The zip form, of PyTorch 1.6 and later.
  public static FileContents readZip(SourceFile file) {
    throw file.error("PyTorch files are not read yet");
  }

  /// The form of a row of pickles, before PyTorch 1.6.
  public static FileContents readLegacy(SourceFile file) {
    throw file.error("PyTorch files are not read yet");
  }
}
