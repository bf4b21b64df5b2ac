package io.gatun.loaders.hub;

import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodySubscribers;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// One file on its way into the cache: `HASH.incomplete` grows, across tries and processes, until
/// it has all its bytes and their hash is right; then it takes its name.
final class Download implements AutoCloseable {
  private static final long POLL_MILLIS = 100;

  private final HubClient client;
  private final HubOptions options;
  private final HubName name;
  private final RepoFile file;
  private final Path incomplete;
  private final FileChannel channel;
  private final FollowingDigest digest;
  private final FileWriter writer;

  /// @param blob the contents' final name; the caller holds its lock
  Download(HubClient client, HubOptions options, HubName name, RepoFile file, Path blob)
      throws IOException {
    this.client = client;
    this.options = options;
    this.name = name;
    this.file = file;
    incomplete = blob.resolveSibling(file.etag() + ".incomplete");
    channel =
        FileChannel.open(
            incomplete,
            StandardOpenOption.CREATE,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE);
    digest = new FollowingDigest(channel, file);
    writer = new FileWriter(channel, file, digest, options.progress);
  }

  /// Fetches what is missing, and gives the file its name.
  ///
  /// @throws CheckpointException if it cannot be had, or is not what the hub's list says
  void run(URI address, Path blob) throws IOException {
    var tries = new Tries(options, name.repository() + ": " + file.path());
    boolean resumed = writer.resume();
    while (true) {
      while (writer.written() < file.size()) {
        long before = writer.written();
        fetch(address, tries);
        if (writer.written() > before) {
          tries.gained();
        }
      }
      if (digest.matches()) {
        break;
      }
      writer.restart();
      if (!resumed) {
        channel.close();
        java.nio.file.Files.deleteIfExists(incomplete);
        throw new CheckpointException(
            "%s: %s: what came has not the hash that the hub's list says (%s), so something on the way changes it; nothing is kept of it. Try again, from another network if that does not help"
                .formatted(name.repository(), file.path(), file.etag()));
      }
      // What an earlier process left may have been damaged.
      options.progress.note(
          "%s: %s: what was there already is damaged; beginning again"
              .formatted(name.repository(), file.path()));
      resumed = false;
    }
    channel.force(false);
    channel.close();
    HubCache.move(incomplete, blob);
  }

  private void fetch(URI address, Tries tries) {
    long from = writer.written();
    var call = client.send(address, from == 0 ? null : "bytes=" + from + "-", handler(from));
    try {
      var response = await(call);
      int status = response.statusCode();
      if (status == 416) {
        writer.restart();
        tries.failed(new IOException("the server has not so many bytes"));
      } else if (status != 200 && status != 206) {
        tries.refused(Refusals.of(name, response, client), response);
      } else if (call.etag() != null && !call.etag().equals(file.etag())) {
        throw new CheckpointException(
            "%s: %s: has changed since the hub listed it; try again"
                .formatted(name.repository(), file.path()));
      } else if (writer.written() < file.size()) {
        tries.failed(
            new IOException(
                "the connection was cut after %,d of %,d bytes"
                    .formatted(writer.written(), file.size())));
      }
    } catch (ExecutionException e) {
      if (writer.hasWrongSize()) {
        writer.restart();
        throw new CheckpointException(
            "%s: %s: the server has not the %,d bytes that the hub's list says, but %s; nothing is kept of it"
                .formatted(name.repository(), file.path(), file.size(), writer.foundSize()));
      }
      if (writer.failure() != null) {
        throw new CheckpointException(
            "%s: cannot be written: %s".formatted(incomplete, Tries.reason(writer.failure())), e);
      }
      var cause = client.cause(e);
      if (writer.written() > from) {
        tries.gained();
      }
      tries.failed(cause);
    } catch (TimeoutException e) {
      call.cancel();
      tries.failed(
          new IOException(
              "the server sent nothing for %d s".formatted(options.timeout.toSeconds()), e));
    } catch (InterruptedException e) {
      call.cancel();
      throw HubClient.interrupted(e);
    } catch (IOException e) {
      tries.failed(e);
    }
  }

  /// Waits as long as bytes come.
  private HttpResponse<Void> await(HubClient.Call<Void> call)
      throws InterruptedException, ExecutionException, TimeoutException, IOException {
    long seen = writer.written();
    long since = System.nanoTime();
    while (true) {
      try {
        return call.get(POLL_MILLIS, TimeUnit.MILLISECONDS);
      } catch (TimeoutException e) {
        long now = writer.written();
        if (now != seen) {
          seen = now;
          since = System.nanoTime();
        } else if (System.nanoTime() - since > options.timeout.toNanos()) {
          throw e;
        }
      }
    }
  }

  /// Only a whole file from its start, or just the rest that was asked for, is written.
  private BodyHandler<Void> handler(long from) {
    return info -> {
      if (info.statusCode() == 200) {
        long length = info.headers().firstValueAsLong("Content-Length").orElse(file.size());
        writer.restart();
        return writer.subscriber(length);
      }
      String range = info.headers().firstValue("Content-Range").orElse("");
      if (info.statusCode() == 206 && from > 0 && range.startsWith("bytes " + from + "-")) {
        return writer.subscriber(file.size());
      }
      return BodySubscribers.replacing(null);
    };
  }

  @Override
  public void close() throws IOException {
    digest.close();
    channel.close();
  }
}
