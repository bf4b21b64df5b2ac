package io.gatun.tensor.kernel.dense;

/// Whether kernels of vectors are still being compiled, and others serve in their place, which give
/// the same to the last bit by loops over single numbers. Until it is compiled, a vector operation
/// is a call that makes objects and takes microseconds; such loops run at a bearable speed from the
/// start, on arrays, and a first answer need not wait for the compiler.
public final class FirstCalls {
  private static volatile boolean served;

  private FirstCalls() {}

  /// A thread that gets kernels compiled by calling them itself.
  public static final class Compiling extends Thread {
    public Compiling(Runnable task, String name) {
      super(task, name);
      setDaemon(true);
    }
  }

  /// Begins or ends that others serve.
  public static void serve(boolean others) {
    served = others;
  }

  /// Whether others serve the current thread.
  public static boolean isServed() {
    return served && !(Thread.currentThread() instanceof Compiling);
  }
}
