package io.gatun.tools;

import io.gatun.models.ImagineStep;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.function.Consumer;
import org.jline.utils.Signals;

/// A bar that grows with the steps of an image, where a person looks on; Ctrl-C ends the work after
/// the step that is under way, and a second one at once.
final class StepProgress implements Consumer<ImagineStep>, AutoCloseable {
  private final PrintWriter err;
  private final boolean shown;
  private final Object before;
  private volatile boolean stop;
  private ProgressBar bar;

  StepProgress(PrintWriter err, boolean shown) {
    this.err = err;
    this.shown = shown;
    before = Signals.register("INT", this::interrupt);
  }

  private void interrupt() {
    stop = true;
    Signals.registerDefault("INT");
    err.println();
    err.println("stopping after this step; Ctrl-C again ends at once");
    err.flush();
  }

  @Override
  public void accept(ImagineStep step) {
    if (stop) {
      step.cancel();
    } else if (shown) {
      if (bar == null) {
        bar = new ProgressBar("steps", "", 1);
      }
      String pace = String.format(Locale.ROOT, ", %.2f s/step", step.seconds());
      bar.show(step.index() + 1, step.count(), pace);
    }
  }

  /// Takes the bar away and gives Ctrl-C back.
  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
    Signals.unregister("INT", before);
  }
}
