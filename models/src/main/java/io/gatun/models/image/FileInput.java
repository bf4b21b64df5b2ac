package io.gatun.models.image;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import javax.imageio.stream.ImageInputStreamImpl;

/// A file's bytes in memory, as decoders want to read them.
final class FileInput extends ImageInputStreamImpl {
  private final MemorySegment bytes;

  FileInput(MemorySegment bytes) {
    this.bytes = bytes;
  }

  @Override
  public int read() throws IOException {
    checkClosed();
    bitOffset = 0;
    return streamPos < bytes.byteSize() ? bytes.get(ValueLayout.JAVA_BYTE, streamPos++) & 0xFF : -1;
  }

  @Override
  public int read(byte[] target, int offset, int length) throws IOException {
    checkClosed();
    bitOffset = 0;
    int n = (int) Math.min(length, bytes.byteSize() - streamPos);
    if (n <= 0) {
      return length == 0 ? 0 : -1;
    }
    MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, streamPos, target, offset, n);
    streamPos += n;
    return n;
  }

  @Override
  public long length() {
    return bytes.byteSize();
  }
}
