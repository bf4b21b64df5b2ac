package io.gatun.loaders.hub;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.security.MessageDigest;

/// The hash of a file that grows, computed behind the writer's back so that neither waits for the
/// other; it reads what is still in the page cache.
final class FollowingDigest implements AutoCloseable {
  private static final int CHUNK = 256 << 10;

  private final FileChannel channel;
  private final RepoFile file;
  private final Thread thread;
  private MessageDigest digest;
  private long there;
  private long hashed;
  private boolean closed;
  private IOException failure;

  FollowingDigest(FileChannel channel, RepoFile file) {
    this.channel = channel;
    this.file = file;
    digest = file.digest();
    thread = Thread.ofPlatform().daemon().name("gatun-hash").unstarted(this::run);
  }

  /// So many bytes are there now.
  synchronized void advance(long bytes) {
    there = bytes;
    if (thread.getState() == Thread.State.NEW) {
      thread.start();
    }
    notifyAll();
  }

  /// The file begins again.
  synchronized void restart() {
    there = 0;
    hashed = 0;
    digest = file.digest();
  }

  /// Whether the whole file, which is there, has its hash. Waits until all of it is read.
  boolean matches() throws IOException {
    synchronized (this) {
      advance(file.size());
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
  }

  private void run() {
    var buffer = ByteBuffer.allocate(CHUNK);
    try {
      while (true) {
        MessageDigest of;
        long from;
        long to;
        synchronized (this) {
          while (there == hashed && !closed) {
            wait();
          }
          if (closed) {
            return;
          }
          of = digest;
          from = hashed;
          to = there;
        }
        buffer.clear().limit((int) Math.min(CHUNK, to - from));
        int read = channel.read(buffer, from);
        if (read > 0) {
          of.update(buffer.array(), 0, read);
        }
        synchronized (this) {
          if (of == digest) { // else it began again meanwhile
            hashed = from + Math.max(0, read);
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
