package io.gatun.tools.imagine;

import io.gatun.models.ImagineStep;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.console.ProgressBar;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.function.Consumer;

/// A bar that grows with the steps of an image, where a person looks on; Ctrl-C ends the work after
/// the step that is under way, and a second one at once.
final class StepProgress implements Consumer<ImagineStep>, AutoCloseable {
  private final PrintWriter err;
  private final boolean shown;
  private volatile boolean stop;
  private ProgressBar bar;

  StepProgress(PrintWriter err, Interrupts interrupts, boolean shown) {
    this.err = err;
    this.shown = shown;
    interrupts.stopBy(this::interrupt);
  }

  private void interrupt() {
    stop = true;
    err.println("stopping after this step; Ctrl-C again ends at once");
    err.flush();
  }

  @Override
  public void accept(ImagineStep step) {
    if (stop) {
      step.cancel();
    } else {
      String pace = String.format(Locale.ROOT, ", %.2f s/step", step.seconds());
      show(step.index() + 1, step.count(), pace);
    }
  }

  /// Shows that so many steps are done.
  void show(int done, int count, String pace) {
    if (shown) {
      if (bar == null) {
        bar = new ProgressBar("steps", "", 1);
      }
      bar.show(done, count, pace);
    }
  }

  /// Takes the bar away.
  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
  }
}
