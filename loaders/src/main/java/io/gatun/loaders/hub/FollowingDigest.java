package io.gatun.loaders.hub;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.Queue;

/// The hash of a file that grows, computed beside the writer so that neither waits for the other:
/// of the bytes as they come, and where they come too fast, or came before, of the file's.
final class FollowingDigest implements AutoCloseable {
  private static final int CHUNK = 256 << 10;
  private static final long MOST_WAITING = 16 << 20;

  private final FileChannel channel;
  private final RepoFile file;
  private final Thread thread;
  private final Queue<ByteBuffer> last = new ArrayDeque<>();
  private long lastBytes;
  private MessageDigest digest;
  private long there;
  private long hashed;
  private boolean closed;
  private IOException failure;

  FollowingDigest(FileChannel channel, RepoFile file) {
    this.channel = channel;
    this.file = file;
    digest = file.digest();
    thread = Thread.ofPlatform().daemon().name("gatun-hash").start(this::run);
  }

  /// The file has so many bytes from before.
  synchronized void resume(long bytes) {
    there = bytes;
    notifyAll();
  }

  /// The file has these bytes at its end now. Nobody may change them any more.
  synchronized void add(ByteBuffer bytes) {
    if (lastBytes > MOST_WAITING) {
      last.clear();
      lastBytes = 0;
    }
    last.add(bytes);
    lastBytes += bytes.remaining();
    there += bytes.remaining();
    notifyAll();
  }

  /// The file begins again.
  synchronized void restart() {
    last.clear();
    lastBytes = 0;
    there = 0;
    hashed = 0;
    digest = file.digest();
  }

  /// Whether the whole file, which is there, has its hash. Waits until all of it is read.
  synchronized boolean matches() throws IOException {
    while (hashed < file.size() && failure == null) {
      try {
        wait();
      } catch (InterruptedException e) {
        throw HubClient.interrupted(e);
      }
    }
    if (failure != null) {
      throw failure;
    }
    return file.hasHash(digest.digest());
  }

  private void run() {
    var chunk = ByteBuffer.allocate(CHUNK);
    try {
      while (true) {
        MessageDigest of;
        ByteBuffer next;
        long from;
        boolean isRead;
        synchronized (this) {
          while (there == hashed && !closed) {
            wait();
          }
          if (closed) {
            return;
          }
          of = digest;
          from = hashed;
          long unread = there - lastBytes - hashed;
          isRead = unread == 0;
          if (!isRead) {
            next = chunk.clear().limit((int) Math.min(CHUNK, unread));
          } else {
            next = last.remove();
            lastBytes -= next.remaining();
          }
        }
        if (!isRead && channel.read(next, from) < 0) {
          throw new EOFException("it became shorter meanwhile");
        } else if (!isRead) {
          next.flip();
        }
        int bytes = next.remaining();
        of.update(next);
        synchronized (this) {
          if (of == digest) { // else it began again meanwhile
            hashed = from + bytes;
            notifyAll();
          }
        }
      }
    } catch (IOException e) {
      synchronized (this) {
        failure = e;
        notifyAll();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    synchronized (this) {
      closed = true;
      notifyAll();
    }
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
