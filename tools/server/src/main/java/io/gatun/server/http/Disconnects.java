package io.gatun.server.http;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.eclipse.jetty.server.Request;

/// Notices clients that go away while their answers are being made: a server that only writes
/// learns of it late, and one that answers as a whole not at all.
///
/// A thread waits until a connection can be read though its request is over. If there is nothing to
/// be read then, that is its end; else the client sent its next request early, and is there.
public final class Disconnects implements AutoCloseable {
  private final Selector selector;
  private final Queue<Runnable> changes = new ConcurrentLinkedQueue<>();

  public Disconnects() {
    try {
      selector = Selector.open();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Thread.ofPlatform().daemon().name("gatun-disconnects").start(this::work);
  }

  /// Has `gone` called, once, if the request's client goes away before the watch is closed. The
  /// request must have been read.
  AutoCloseable watch(Request request, Runnable gone) {
    Object transport = request.getConnectionMetaData().getConnection().getEndPoint().getTransport();
    if (!(transport instanceof SocketChannel channel)) {
      return () -> {};
    }
    var watch = new Watch(channel, gone);
    change(watch::begin);
    return () -> change(watch::end);
  }

  private void change(Runnable action) {
    changes.add(action);
    selector.wakeup();
  }

  private final class Watch {
    private final SocketChannel channel;
    private final Runnable gone;
    private SelectionKey key;

    Watch(SocketChannel channel, Runnable gone) {
      this.channel = channel;
      this.gone = gone;
    }

    void begin() {
      try {
        key = channel.register(selector, SelectionKey.OP_READ, this);
      } catch (ClosedChannelException e) {
        gone.run();
      } catch (CancelledKeyException e) {
        // The last request's watch of this connection has not been forgotten yet.
        change(this::begin);
      }
    }

    void end() {
      if (key != null && key.attachment() == this) {
        key.cancel();
      }
    }

    void readable() {
      key.cancel();
      int available;
      try {
        available = channel.socket().getInputStream().available();
      } catch (IOException e) {
        available = 0;
      }
      if (available == 0) {
        gone.run();
      }
    }
  }

  private void work() {
    try {
      while (selector.isOpen()) {
        selector.select(this::look);
        var due = new ArrayList<Runnable>();
        for (var change = changes.poll(); change != null; change = changes.poll()) {
          due.add(change);
        }
        due.forEach(Runnable::run);
      }
    } catch (ClosedSelectorException e) {
      // The end.
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void look(SelectionKey key) {
    if (key.isValid() && key.attachment() instanceof Watch watch) {
      watch.readable();
    }
  }

  @Override
  public void close() {
    try {
      selector.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
