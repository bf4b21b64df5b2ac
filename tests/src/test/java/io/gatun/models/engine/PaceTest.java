package io.gatun.models.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// How many tokens of prompts are read beside answers, for times that are given here: in the
/// engine, they are those of the clock. In its package, since nobody else sees it.
class PaceTest {
  private static final double FACTOR = new EngineOptions().pace;
  private static final int MOST = 512;

  /// What a 99th percentile may be of the median before.
  private static final double TARGET = 2.5;

  private final Pace pace = new Pace(FACTOR, MOST, 9);
  private final Random random = new Random(1);

  /// A machine on which a step takes so many milliseconds.
  ///
  /// @param weights as long as these are read, for any number of rows
  /// @param answer for each answer
  /// @param chunk for any number of prompt tokens
  /// @param token for each of them
  /// @param deeper for each of them, at the end of 2,000 tokens, than at the beginning
  /// @param noise how much longer a step may take for what else runs
  private record Machine(
      double weights, double answer, double chunk, double token, double deeper, double noise) {
    double step(int answers, int read, int at, Random random) {
      double prompt = read == 0 ? 0 : chunk + read * token * (1 + (deeper - 1) * at / 2000);
      return 1e-3 * (weights + answers * answer + prompt) * (1 + noise * random.nextDouble());
    }
  }

  /// Writes so many answers alone.
  private List<Double> write(Machine machine, int answers, int steps) {
    var times = new ArrayList<Double>();
    for (int i = 0; i < steps; i++) {
      double took = machine.step(answers, 0, 0, random);
      pace.measured(answers, 0, 0, took);
      times.add(took);
    }
    return times;
  }

  /// Reads prompts of one length beside answers.
  private List<Double> read(Machine machine, int answers, int prompts, int length) {
    var times = new ArrayList<Double>();
    for (int at = 0; at < length; ) {
      int count = Math.min(pace.tokens(answers, prompts), prompts * (length - at));
      double took = machine.step(answers, count, at, random);
      pace.measured(answers, prompts, count, took);
      at += Math.ceilDiv(count, prompts);
      times.add(took);
    }
    return times;
  }

  private static double percentile(List<Double> times, double share) {
    var sorted = times.stream().sorted().toList();
    return sorted.get((int) Math.ceil(share * sorted.size()) - 1);
  }

  @Test
  void nothingIsReadBeforeItIsKnownHowLongAnswersTake() {
    assertEquals(MOST, pace.tokens(0, 3));
    assertEquals(0, pace.tokens(1, 3));
    pace.measured(1, 0, 0, 0.010);
    assertTrue(pace.tokens(1, 1) > 0);
  }

  /// One answer does not keep seven prompts waiting for as long as one of their length together.
  @Test
  void manyPromptsAreReadSoonerThanOne() {
    pace.measured(0, 7, 64, 0.064);
    pace.measured(1, 0, 0, 0.0131);
    assertEquals(7 * 10, pace.tokens(1, 7));
    assertEquals((int) (10 * (FACTOR - 1)), pace.tokens(8, 1));
  }

  /// A prompt of 2,000 tokens comes while four answers are being written: these keep their pace,
  /// and it is read in the time that this leaves. The machines have weights that are read faster or
  /// slower than they are multiplied, kernels for many rows that are slow with few, long texts that
  /// cost more, and neighbours.
  @ParameterizedTest
  @CsvSource({
    "20, 5, 0, 2, 1.3, 0.1",
    "20, 5, 0, 2, 1.3, 0.5",
    "100, 1, 0, 0.5, 2, 0.1",
    "5, 2, 5, 0.2, 1.5, 0.3",
    "30, 30, 10, 20, 1.1, 0.2",
    "1, 0.1, 0.5, 0.01, 3, 0.4"
  })
  void answersKeepTheirPaceBesideALongPrompt(
      double weights, double answer, double chunk, double token, double deeper, double noise) {
    var machine = new Machine(weights, answer, chunk, token, deeper, noise);
    pace.measured(0, 1, 64, 20 * machine.step(0, 64, 0, random)); // kernels are being compiled
    pace.measured(0, 3, 192, machine.step(0, 192, 0, random));
    double before = percentile(write(machine, 4, 50), 0.5);
    for (int prompt = 0; prompt < 3; prompt++) {
      var times = read(machine, 4, 1, 2000);
      double worst = percentile(times, 0.99) / before;
      assertTrue(worst <= TARGET, () -> worst + " times as long: " + times);
      double spent = times.stream().mapToDouble(t -> t - before).sum();
      double allowed = (FACTOR - 1) * before * times.size();
      assertTrue(spent > 0.5 * allowed, () -> "%s of %s s are used".formatted(spent, allowed));
      // Prompts that come at once, beside one answer, are read in larger steps.
      write(machine, 1, 10);
      read(machine, 1, 7, 500);
      write(machine, 4, 10);
    }
  }

  /// A prompt is not read token by token because the first steps of a process are slow.
  @Test
  void whatWasSlowAtFirstIsForgotten() {
    var machine = new Machine(20, 5, 0, 2, 1, 0);
    pace.measured(0, 1, 64, 2.0);
    pace.measured(1, 0, 0, 0.5);
    write(machine, 1, 20);
    assertTrue(read(machine, 1, 1, 500).size() < 60);
  }

  /// Where the first token costs as much as eight together, it is not read token by token.
  @Test
  void oneTokenCostsAsMuchAsEight() {
    var machine = new Machine(26, 1, 14, 1, 1.1, 0.2);
    pace.measured(0, 1, 64, machine.step(0, 64, 0, random));
    write(machine, 4, 50);
    assertTrue(read(machine, 4, 1, 2000).size() < 500);
  }

  /// A machine that is busy with something else for a while reads as fast as before when it is not.
  @Test
  void whatHoldsAStepUpIsForgotten() {
    var machine = new Machine(20, 5, 0, 2, 1, 0);
    pace.measured(0, 1, 64, 0.128);
    write(machine, 4, 20);
    read(machine, 4, 1, 1000);
    int before = pace.tokens(4, 1);
    pace.measured(4, 1, before, 0.3);
    assertTrue(pace.tokens(4, 1) >= 0.9 * before - 1);
  }
}
