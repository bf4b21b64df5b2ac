package io.gatun.tools.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.tools.remote.RemoteServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Iterator;
import java.util.function.Consumer;

/// Vectors that a server's model makes.
final class RemoteVectors implements Vectors {
  private static final int TEXTS = 256;
  private static final int CHARACTERS = 1 << 20;

  private final RemoteServer server;
  private final String name;
  private final String promptName;
  private final Consumer<String> cut;
  private String model = "";

  /// @param name the model's; null for the server's first
  /// @param promptName null for the model's default
  /// @param cut is told of texts that lost their ends; null if none may
  RemoteVectors(RemoteServer server, String name, String promptName, Consumer<String> cut) {
    this.server = server;
    this.name = name;
    this.promptName = promptName;
    this.cut = cut;
  }

  @Override
  public String model() {
    return model;
  }

  @Override
  public void embed(Iterator<String> texts, Consumer<float[]> vectors) {
    for (int done = 0; texts.hasNext(); ) {
      var body = RemoteServer.body().put("model", name).put("prompt_name", promptName);
      var input = body.put("encoding_format", "base64").putArray("input");
      body.put("truncate", cut != null);
      for (int left = CHARACTERS; texts.hasNext() && left > 0 && input.size() < TEXTS; ) {
        String text = texts.next();
        input.add(text);
        left -= text.length();
      }
      ask(body, done).forEach(one -> vectors.accept(floats(one.path("embedding"))));
      done += input.size();
    }
  }

  private JsonNode ask(ObjectNode body, int done) {
    try {
      JsonNode answer = server.ask("v1/embeddings", body);
      model = answer.path("model").asText();
      answer.path("warnings").forEach(line -> cut.accept(line.asText() + counted(done)));
      return answer.path("data");
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(e.getMessage() + counted(done), e);
    }
  }

  /// A server counts the texts that it was sent at a time.
  private static String counted(int done) {
    return done == 0 ? "" : " (text 1 is text %d of all)".formatted(done + 1);
  }

  private static float[] floats(JsonNode base64) {
    try {
      var bytes = ByteBuffer.wrap(base64.binaryValue()).order(ByteOrder.LITTLE_ENDIAN);
      var vector = new float[bytes.remaining() / Float.BYTES];
      bytes.asFloatBuffer().get(vector);
      return vector;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    server.close();
  }
}
