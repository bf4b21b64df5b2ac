package io.gatun.server.http;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeoutException;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;

/// Reads requests' bodies, none larger than a limit, and large ones only as far as the heap has
/// room for all that are being read and worked on.
public final class Bodies {
  /// Below, nobody waits.
  private static final int SMALL = 1 << 18;

  private static final int UNIT = 1 << 10;

  /// Bytes a second below which a body is not waited for, but for some seconds at the beginning.
  private static final int SLOWEST = 1000;

  private static final long PATIENCE = 10_000_000_000L;

  private final long limit;
  private final int units;
  private final Semaphore room;

  /// @param limit bytes of one body
  public Bodies(long limit) {
    // With the text made of the bytes, and what is decoded from it, a body is there three times.
    units = (int) (Runtime.getRuntime().maxMemory() / 6 / UNIT);
    this.limit = Math.min(limit, (long) units * UNIT);
    room = new Semaphore(units, true);
  }

  /// @throws ApiException if it is too large
  byte[] read(Request request) throws IOException, InterruptedException {
    long length = request.getHeaders().getLongField(HttpHeader.CONTENT_LENGTH);
    if (length > limit) {
      throw tooLarge();
    }
    int taken =
        length >= 0 && length <= SMALL ? 0 : (int) Math.ceilDiv(length < 0 ? limit : length, UNIT);
    if (taken > 0) {
      room.acquire(taken);
      // Until all is done with the request: what was made of the body lives as long.
      Request.addCompletionListener(request, _ -> room.release(taken));
    }
    var bytes = new ByteArrayOutputStream(length > 0 ? (int) length : 1024);
    var buffer = new byte[8192];
    long began = System.nanoTime();
    try (var in = Request.asInputStream(request)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        bytes.write(buffer, 0, n);
        if (bytes.size() > limit) {
          throw tooLarge();
        }
        if (System.nanoTime() - began - PATIENCE > bytes.size() * (1_000_000_000L / SLOWEST)) {
          throw tooSlow();
        }
      }
    } catch (IOException e) {
      if (e.getCause() instanceof TimeoutException) {
        throw tooSlow();
      }
      throw e;
    }
    return bytes.toByteArray();
  }

  private static ApiException tooSlow() {
    return ApiException.of(HttpStatus.REQUEST_TIMEOUT_408, "too_slow", "the body comes too slowly");
  }

  private ApiException tooLarge() {
    return ApiException.of(
        HttpStatus.PAYLOAD_TOO_LARGE_413,
        "body_too_large",
        "the body is larger than the %,d bytes that this server takes".formatted(limit));
  }
}
