package io.gatun.tests.ffm;

import io.gatun.ffm.NativeLibraries;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.OpenBlas;

/// A program of its own for [NativeLibrariesTest]: says what it finds, and uses it.
final class NativeProbe {
  private NativeProbe() {}

  public static void main(String[] args) {
    System.out.println("OpenBLAS " + OpenBlas.isAvailable() + " " + OpenBlas.problem());
    System.out.println("oneDNN " + OneDnn.isAvailable() + " " + OneDnn.problem());
    NativeLibraries.report().forEach(library -> System.out.println(library.path()));
    if (OneDnn.isAvailable()) {
      OneDnnMatmulTest.smallestProduct();
    }
    if (OpenBlas.isAvailable()) {
      OpenBlasTest.smallestProduct();
    }
  }
}
