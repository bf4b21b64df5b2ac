package io.gatun.tools.text;

import java.util.Iterator;
import java.util.function.Consumer;

/// What makes the vectors that `gatun embed` prints: a model, or a server.
interface Vectors extends AutoCloseable {
  /// The model's name or path; a server's once it has answered.
  String model();

  /// The vectors of any number of texts, in their order, as they are made.
  void embed(Iterator<String> texts, Consumer<float[]> vectors);

  @Override
  void close();
}
