package io.gatun.loaders.file;

/// What reading the headers of a checkpoint may take of the heap: so much for each of their bytes,
/// and for all files together no more than [#MOST]. A small file is then read with little, however
/// often its parts refer to each other, and so in little time.
public final class HeapBudget {
  /// Less than the heap that the launcher gives, with room for the rest of the program.
  private static final long MOST = 128L << 20;

  private static final long START = 1L << 20;

  /// A byte may stand for a value, which takes some 60 bytes.
  private static final long PER_BYTE = 64;

  private long allowed = START;
  private long spent;

  /// A budget with nothing spent.
  public HeapBudget() {}

  /// Adds what a header of so many bytes may take.
  void allow(long headerBytes) {
    allowed =
        headerBytes > MOST / PER_BYTE ? MOST : Math.min(MOST, allowed + PER_BYTE * headerBytes);
  }

  /// Takes bytes, which are estimated; returns whether they were there.
  boolean spend(long bytes) {
    spent += bytes;
    return spent <= allowed;
  }

  long allowed() {
    return allowed;
  }
}
