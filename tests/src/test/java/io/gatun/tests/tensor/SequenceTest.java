package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.sequence.CacheLayout;
import io.gatun.tensor.sequence.KvLayout;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.LayerState;
import io.gatun.tensor.sequence.Sequence;
import io.gatun.tensor.sequence.Span;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/// What sequences keep, share, give back and can go back to.
class SequenceTest {
  private static final int C = 16;
  private static final CacheLayout KEYS =
      new CacheLayout(List.of(new KvLayout(1, C, C, 0)), DType.Plain.F32);
  private static final CacheLayout WINDOW =
      new CacheLayout(
          List.of(new KvLayout(1, C, C, 100), new KvLayout(1, C, C, 50)), DType.Plain.F32);
  private static final CacheLayout STATES =
      new CacheLayout(
          List.of(LayerState.Recurrent.of(Shape.of(3), Shape.of(2, 2)), new KvLayout(1, C, C, 0)),
          DType.Plain.F32);

  private final KvPool pool = new KvPool(1 << 20);

  private static Tensor random(int tokens, int seed) {
    var random = new Random(seed);
    var values = new float[tokens * C];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensor.ofFloats(Arena.ofAuto(), values, tokens, 1, C);
  }

  private static void read(Ops ops, Sequence sequence, int tokens, int seed) {
    sequence.reserve(tokens);
    sequence.begin();
    var k = random(tokens, seed);
    ops.put(List.of(new Span(0, tokens, sequence)), 0, k, k);
    sequence.advance(tokens);
  }

  /// Of one query after all that a sequence holds.
  private static float[] attention(Ops ops, Sequence sequence) {
    var spans = List.of(new Span(0, 1, sequence.length() - 1, sequence));
    try (var _ = ops.scope()) {
      return ops.attention(random(1, 99), spans, 0, AttentionSpec.of(C)).toFloats();
    }
  }

  private long pages() {
    return pool.used() / KEYS.pageBytes();
  }

  @Test
  void forksShareUntilTheyDiffer() {
    try (var ops = new Ops(Backend.NATIVE, 2);
        var sequence = new Sequence(pool, KEYS, 512)) {
      read(ops, sequence, 150, 1);
      float[] before = attention(ops, sequence);
      try (var fork = sequence.fork()) {
        assertEquals(3, pages());
        assertArrayEquals(before, attention(ops, fork));
        read(ops, fork, 10, 2); // into the last page, which becomes its own
        assertEquals(4, pages());
        assertArrayEquals(before, attention(ops, sequence));
        read(ops, sequence, 10, 2);
        assertEquals(4, pages());
        assertArrayEquals(attention(ops, fork), attention(ops, sequence));
        fork.truncate(128);
        assertEquals(3, pages());
        fork.truncate(60); // within a page that is shared
        read(ops, fork, 1, 3);
        assertEquals(4, pages());
      }
      assertEquals(3, pages());
      read(ops, sequence, 1, 4);
      assertEquals(3, pages());
    }
    assertEquals(0, pool.used());
    assertTrue(pool.byteSize() > 0);
    pool.trim();
    assertEquals(0, pool.byteSize());
  }

  /// Memory delivers what follows faster than what lies elsewhere.
  @Test
  void whatPagesHoldOfAHeadLiesTogether() {
    var layout =
        new CacheLayout(
            List.of(new KvLayout(3, C, C, 0), new KvLayout(2, C, 32, 0)), DType.Plain.F16);
    try (var large = new KvPool(1 << 30);
        var sequence = new Sequence(large, layout, 512)) {
      sequence.reserve(5 * CacheLayout.PAGE);
      var ends = new TreeMap<Long, Long>();
      for (int part = 0; part < 2; part++) {
        var pages = sequence.keyValues(part, 5 * CacheLayout.PAGE);
        for (int head = 0; head < pages.kv().heads(); head++) {
          for (int page = 0; page < 5; page++) {
            assertSame(pages.memory(0), pages.memory(page));
            long at = pages.keysAt(0, head) + page * pages.headBytes();
            assertEquals(at, pages.keysAt(page, head));
            ends.put(at, at + pages.headBytes());
          }
        }
      }
      assertEquals(25, ends.size());
      long free = 0;
      for (var each : ends.entrySet()) {
        assertTrue(each.getKey() >= free, "no two overlap");
        free = each.getValue();
      }
    }
  }

  @Test
  void aForkCopiesEveryHeadOfAPage() {
    var layout =
        new CacheLayout(
            List.of(new KvLayout(1, C, C, 0), new KvLayout(2, C, C, 0)), DType.Plain.F32);
    try (var ops = new Ops(Backend.NATIVE, 2);
        var sequence = new Sequence(pool, layout, 512)) {
      sequence.reserve(10);
      var k = random(20, 1).reshape(10, 2, C);
      ops.put(List.of(new Span(0, 10, sequence)), 1, k, k);
      sequence.advance(10);
      var q = random(2, 2).reshape(1, 2, C);
      float[] before;
      try (var _ = ops.scope()) {
        var last = List.of(new Span(0, 1, 9, sequence));
        before = ops.attention(q, last, 1, AttentionSpec.of(C)).toFloats();
      }
      try (var fork = sequence.fork();
          var _ = ops.scope()) {
        fork.reserve(1); // from now on the page is its own
        assertEquals(2 * layout.pageBytes(), pool.used());
        var last = List.of(new Span(0, 1, 9, fork));
        assertArrayEquals(before, ops.attention(q, last, 1, AttentionSpec.of(C)).toFloats());
      }
    }
  }

  @Test
  void whatIsCutOffIsReadAnew() {
    try (var ops = new Ops(Backend.NATIVE, 2);
        var once = new Sequence(pool, KEYS, 512);
        var twice = new Sequence(pool, KEYS, 512)) {
      read(ops, once, 70, 1);
      read(ops, once, 5, 2);
      read(ops, twice, 70, 1);
      read(ops, twice, 100, 3);
      twice.truncate(70);
      twice.truncate(300);
      read(ops, twice, 5, 2);
      assertArrayEquals(attention(ops, once), attention(ops, twice));
    }
  }

  @Test
  void pagesBehindAllWindowsAreGivenBack() {
    try (var ops = new Ops(Backend.NATIVE, 2);
        var sequence = new Sequence(pool, WINDOW, 4096);
        var fresh = new Sequence(pool, WINDOW, 4096)) {
      for (int i = 0; i < 40; i++) {
        read(ops, sequence, 50, i);
        assertTrue(sequence.byteSize() <= 3 * WINDOW.pageBytes(), "" + sequence.byteSize());
      }
      assertEquals(1990, sequence.restorable(1990));
      assertEquals(0, sequence.restorable(1500));
      var spans = List.of(new Span(0, 1, sequence.length() - 1, sequence));
      var spec = new AttentionSpec(0.3f, 100);
      fresh.reserve(2000);
      for (int i = 0; i < 40; i++) {
        ops.put(List.of(new Span(0, 50, 50 * i, fresh)), 0, random(50, i), random(50, i));
      }
      try (var _ = ops.scope()) {
        assertArrayEquals(
            ops.attention(random(1, 9), List.of(new Span(0, 1, 1999, fresh)), 0, spec).toFloats(),
            ops.attention(random(1, 9), spans, 0, spec).toFloats());
      }
      assertThrows(IllegalStateException.class, () -> sequence.truncate(1500));
      sequence.truncate(0);
      read(ops, sequence, 50, 1);
    }
    assertEquals(0, pool.used());
  }

  private static void add(Sequence sequence, float value, int tokens) {
    sequence.reserve(tokens);
    sequence.begin();
    for (var state : sequence.recurrent(0)) {
      var segment = state.segment();
      for (int i = 0; i < state.size(); i++) {
        segment.setAtIndex(
            ValueLayout.JAVA_FLOAT, i, segment.getAtIndex(ValueLayout.JAVA_FLOAT, i) + value);
      }
    }
    sequence.advance(tokens);
  }

  private static float state(Sequence sequence) {
    assertEquals(List.of(Shape.of(3), Shape.of(2, 2)), shapes(sequence));
    float[] last = sequence.recurrent(0).getLast().toFloats();
    assertEquals(last[0], last[3]);
    assertEquals(last[0], sequence.recurrent(0).getFirst().toFloats()[2]);
    return last[0];
  }

  private static List<Shape> shapes(Sequence sequence) {
    return sequence.recurrent(0).stream().map(Tensor::shape).toList();
  }

  @Test
  void recurrentStatesGoBackToWhereTheyWereSaved() {
    try (var sequence = new Sequence(pool, STATES, 1000)) {
      add(sequence, 1, 64);
      sequence.save();
      add(sequence, 2, 36);
      try (var fork = sequence.fork()) {
        assertEquals(3, state(fork));
        add(fork, 10, 1);
        assertEquals(13, state(fork));
        assertEquals(3, state(sequence));
        assertEquals(64, fork.restorable(100));
        fork.truncate(64);
        assertEquals(1, state(fork));
      }
      assertEquals(100, sequence.restorable(100));
      assertEquals(64, sequence.restorable(99));
      assertEquals(0, sequence.restorable(63));
      var refused = assertThrows(IllegalStateException.class, () -> sequence.truncate(99));
      assertTrue(refused.getMessage().contains("64"), refused.getMessage());
      sequence.truncate(64);
      assertEquals(1, state(sequence));
      sequence.reserve(5);
      sequence.begin(); // and the step ends early
      assertThrows(IllegalStateException.class, () -> sequence.reserve(1));
      assertThrows(IllegalStateException.class, sequence::fork);
      assertEquals(64, sequence.restorable(sequence.length()));
      sequence.truncate(64);
      add(sequence, 4, 1);
      assertEquals(5, state(sequence));
      sequence.truncate(0);
      add(sequence, 7, 1);
      assertEquals(7, state(sequence));
    }
    assertEquals(0, pool.used());
  }

  @Test
  void onlyTheLatestStatesStay() {
    try (var sequence = new Sequence(pool, STATES, 1000)) {
      for (int i = 0; i < 6; i++) {
        add(sequence, 1, 10);
        sequence.save();
      }
      assertEquals(0, sequence.restorable(29));
      assertEquals(30, sequence.restorable(39));
      assertEquals(STATES.pageBytes() + 5 * STATES.recurrentBytes(), pool.used());
    }
  }

  @Test
  void aBudgetIsKept() {
    try (var small = new KvPool(2 * KEYS.pageBytes() + 1);
        var a = new Sequence(small, KEYS, 512)) {
      a.reserve(100);
      a.advance(100);
      var refused = assertThrows(KvPool.Exhausted.class, () -> a.reserve(100));
      assertTrue(refused.getMessage().contains("raise the budget"), refused.getMessage());
      assertEquals(100, a.length());
      a.reserve(28);
      try (var b = a.fork()) {
        assertThrows(KvPool.Exhausted.class, () -> b.reserve(1)); // a copy of the last page
        a.truncate(64);
        assertThrows(KvPool.Exhausted.class, () -> a.reserve(1));
        b.truncate(64);
        b.reserve(1);
      }
      a.truncate(0);
      assertEquals(0, small.used());
      // The memory serves pages of another size, too.
      try (var other = new Sequence(small, WINDOW, 512)) {
        other.reserve(1);
      }
    }
  }

  @Test
  void whatCannotBeIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> new KvPool(0));
    assertThrows(IllegalArgumentException.class, () -> new KvLayout(1, 0, 4, 0));
    assertThrows(IllegalArgumentException.class, () -> new KvLayout(1, 4, 4, -1));
    assertThrows(
        IllegalArgumentException.class,
        () -> new CacheLayout(List.of(new LayerState.SharedWith(0)), DType.Plain.F32));
    assertThrows(IllegalArgumentException.class, () -> new Sequence(pool, KEYS, 0));
    try (var sequence = new Sequence(pool, STATES, 10)) {
      assertThrows(IndexOutOfBoundsException.class, () -> sequence.reserve(11));
      assertThrows(IllegalStateException.class, () -> sequence.advance(1));
      assertThrows(IllegalArgumentException.class, () -> sequence.truncate(-1));
      assertThrows(IllegalArgumentException.class, () -> sequence.recurrent(1));
      assertThrows(IllegalStateException.class, () -> sequence.recurrent(0));
      assertThrows(IllegalArgumentException.class, () -> new Span(3, 3, sequence));
    }
    var closed = new Sequence(pool, STATES, 10);
    closed.close();
    assertThrows(IllegalStateException.class, () -> closed.reserve(1));
  }
}
