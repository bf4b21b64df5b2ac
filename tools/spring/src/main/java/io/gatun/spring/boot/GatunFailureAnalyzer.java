package io.gatun.spring.boot;

import io.gatun.loaders.CheckpointException;
import io.gatun.tensor.VectorUnit;
import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/// Says why an application cannot start, and what to do, when its model is not to be had or Java
/// lacks an option.
final class GatunFailureAnalyzer extends AbstractFailureAnalyzer<RuntimeException> {
  @Override
  protected FailureAnalysis analyze(Throwable root, RuntimeException cause) {
    var broken = findCause(root, CheckpointException.class);
    if (broken != null) {
      return new FailureAnalysis(
          broken.getMessage(),
          "Check the model that the application's properties name: spring.ai.gatun.*.model is a"
              + " path, or a name as gatun pull takes it.",
          broken);
    }
    if (!VectorUnit.isAvailable() && isNamed(root)) {
      return new FailureAnalysis(
          "Java's Vector API is not there, and Gatun computes with it.",
          "Start Java with --add-modules jdk.incubator.vector, for instance as"
              + " JDK_JAVA_OPTIONS=--add-modules=jdk.incubator.vector: a manifest cannot say it.",
          cause);
    }
    return null;
  }

  private static boolean isNamed(Throwable e) {
    for (Throwable t = e; t != null; t = t.getCause()) {
      if (t.getMessage() != null && t.getMessage().contains("jdk.incubator.vector")) {
        return true;
      }
    }
    return false;
  }
}
