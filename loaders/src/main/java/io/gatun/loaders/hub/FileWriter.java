package io.gatun.loaders.hub;

import java.io.IOException;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;

/// Writes what comes behind what there is, never more than the file may have.
final class FileWriter {
  /// How many reads of the network may be done before the file has taken the first: neither then
  /// waits for the other.
  private static final int AHEAD = 8;

  private final FileChannel channel;
  private final RepoFile file;
  private final FollowingDigest digest;
  private final HubProgress progress;
  private volatile long written;
  private volatile String wrongSize;
  private volatile IOException failure;
  private volatile Object current;

  FileWriter(FileChannel channel, RepoFile file, FollowingDigest digest, HubProgress progress) {
    this.channel = channel;
    this.file = file;
    this.digest = digest;
    this.progress = progress;
  }

  /// Goes on from what an earlier process wrote. The progress knows of it.
  ///
  /// @return whether there is something
  boolean resume() throws IOException {
    written = channel.size();
    if (written > file.size()) {
      restart();
    }
    digest.resume(written);
    return written > 0;
  }

  /// The bytes that are there.
  long written() {
    return written;
  }

  /// Whether an answer has another size than the file.
  boolean hasWrongSize() {
    return wrongSize != null;
  }

  /// The size that it has, in words.
  String foundSize() {
    return wrongSize;
  }

  /// Why the disk did not take it; null if it did.
  IOException failure() {
    return failure;
  }

  /// Begins again.
  void restart() {
    progress.advance(-written);
    written = 0;
    digest.restart();
    try {
      channel.truncate(0);
    } catch (IOException e) {
      failure = e;
    }
  }

  /// Takes one answer's body; what an earlier answer still sends is dropped.
  ///
  /// @param size the whole file's, as the answer says
  BodySubscriber<Void> subscriber(long size) {
    if (size != file.size()) {
      wrongSize = "%,d".formatted(size);
    }
    return new Body();
  }

  private final class Body implements BodySubscriber<Void> {
    private final CompletableFuture<Void> done = new CompletableFuture<>();
    private Flow.Subscription subscription;

    Body() {
      current = this;
    }

    @Override
    public CompletionStage<Void> getBody() {
      return done;
    }

    @Override
    public void onSubscribe(Flow.Subscription given) {
      subscription = given;
      if (hasWrongSize()) {
        given.cancel();
        done.completeExceptionally(new IOException("another size"));
      } else {
        given.request(AHEAD);
      }
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
      try {
        for (ByteBuffer buffer : buffers) {
          write(buffer);
        }
        subscription.request(1);
      } catch (IOException e) {
        subscription.cancel();
        done.completeExceptionally(e);
      }
    }

    private void write(ByteBuffer buffer) throws IOException {
      var whole = buffer.duplicate();
      int bytes = buffer.remaining();
      if (current != this) {
        throw new IOException("another answer has taken its place");
      }
      if (written + bytes > file.size()) {
        wrongSize = "more";
        throw new IOException("more bytes than there are");
      }
      try {
        long at = written;
        while (buffer.hasRemaining()) {
          at += channel.write(buffer, at);
        }
        written = at;
      } catch (IOException e) {
        failure = e;
        throw e;
      }
      progress.advance(bytes);
      digest.add(whole);
    }

    @Override
    public void onError(Throwable e) {
      done.completeExceptionally(e);
    }

    @Override
    public void onComplete() {
      done.complete(null);
    }
  }
}
