package io.gatun.models.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import javax.imageio.stream.ImageOutputStreamImpl;

/// Where ImageIO writes to a file that is open already, and stays open.
final class ChannelImageOutput extends ImageOutputStreamImpl {
  private final FileChannel channel;

  ChannelImageOutput(FileChannel channel) {
    this.channel = channel;
  }

  @Override
  public void write(int b) throws IOException {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    flushBits();
    var rest = ByteBuffer.wrap(bytes, offset, length);
    while (rest.hasRemaining()) {
      streamPos += channel.write(rest, streamPos);
    }
  }

  @Override
  public int read() throws IOException {
    var one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
  }

  @Override
  public int read(byte[] bytes, int offset, int length) throws IOException {
    bitOffset = 0;
    int count = channel.read(ByteBuffer.wrap(bytes, offset, length), streamPos);
    streamPos += Math.max(count, 0);
    return count;
  }
}
