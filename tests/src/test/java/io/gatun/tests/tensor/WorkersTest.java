package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.tensor.runtime.Workers;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

class WorkersTest {
  @Test
  void everyItemIsHandledOnce() {
    for (int threads : new int[] {1, 2, 3, 5}) {
      try (var workers = new Workers(threads)) {
        for (int n : new int[] {0, 1, 2, 7, 64, 1001}) {
          for (int grain : new int[] {1, 3, 64}) {
            var count = new AtomicIntegerArray(n);
            workers.forEach(
                n,
                grain,
                (worker, from, to) -> {
                  for (long i = from; i < to; i++) {
                    count.incrementAndGet((int) i);
                  }
                });
            var expected = new int[n];
            Arrays.fill(expected, 1);
            var found = new int[n];
            Arrays.setAll(found, count::get);
            assertArrayEquals(expected, found);
          }
        }
      }
    }
  }

  @Test
  void chunksAreTheSameWhoeverTakesThemAndLongAtFirst() {
    try (var workers = new Workers(3)) {
      for (int run = 0; run < 20; run++) {
        var ends = new ConcurrentSkipListMap<Long, Long>();
        workers.forEach(1001, 8, (worker, from, to) -> ends.put(from, to));
        var starts = List.copyOf(ends.keySet());
        // A sixth of 125 whole grains, and a sixth of the 105 that are left.
        assertEquals(List.of(0L, 160L, 296L), starts.subList(0, 3));
        assertEquals(1000L, starts.getLast());
        assertEquals(1001L, ends.lastEntry().getValue());
      }
    }
  }

  @Test
  void thousandsOfShortOperationsInARowAllComplete() {
    try (var workers = new Workers(4)) {
      var sums = new long[4 * 16];
      for (int round = 0; round < 20_000; round++) {
        workers.forEach(64, 1, (worker, from, to) -> sums[worker * 16] += to - from);
      }
      assertEquals(64L * 20_000, Arrays.stream(sums).sum());
    }
  }

  @Test
  void operationsAfterAPauseWakeParkedThreads() throws InterruptedException {
    try (var workers = new Workers(3)) {
      for (int round = 0; round < 20; round++) {
        Thread.sleep(2);
        var count = new AtomicIntegerArray(1);
        workers.forEach(100, 1, (worker, from, to) -> count.addAndGet(0, (int) (to - from)));
        assertEquals(100, count.get(0));
      }
    }
  }

  @Test
  void anExceptionReachesTheCallerAndTheTeamGoesOn() {
    try (var workers = new Workers(2)) {
      for (int round = 0; round < 50; round++) {
        var e =
            assertThrows(
                IllegalStateException.class,
                () ->
                    workers.forEach(
                        100,
                        1,
                        (worker, from, to) -> {
                          throw new IllegalStateException("boom");
                        }));
        assertEquals("boom", e.getMessage());
        var count = new AtomicIntegerArray(1);
        workers.forEach(10, 1, (worker, from, to) -> count.addAndGet(0, (int) (to - from)));
        assertEquals(10, count.get(0));
      }
    }
  }
}
