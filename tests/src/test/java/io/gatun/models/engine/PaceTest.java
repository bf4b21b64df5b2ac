package io.gatun.models.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

/// How many tokens of prompts are read beside answers, for times that are given here: in the
/// engine, they are those of the clock. In its package, since nobody else sees it.
class PaceTest {
  private final Pace pace = new Pace(1.2, 512, 9);

  @Test
  void nothingIsReadBeforeItIsKnownHowLongAnswersTake() {
    assertEquals(512, pace.tokens(0, 3));
    assertEquals(0, pace.tokens(1, 3));
    pace.measured(1, 0, false, 0.010);
    assertEquals(16, pace.tokens(1, 1));
  }

  /// One answer does not keep seven prompts waiting for as long as one of their length together.
  @Test
  void manyPromptsAreReadSoonerThanOne() {
    pace.measured(1, 0, false, 0.010);
    assertEquals(7 * 16, pace.tokens(1, 7));
    assertEquals((int) (0.2 * 16), pace.tokens(8, 1));
  }

  @Test
  void whatTakesTooLongIsCutSoonerThanWhatIsShortGrows() {
    pace.measured(1, 0, false, 0.010);
    pace.measured(1, 16, true, 0.030);
    assertEquals((int) (0.8 * 16), pace.tokens(1, 1));
    pace.measured(1, 12, true, 0.011);
    assertEquals((int) (1.05 * 0.8 * 16), pace.tokens(1, 1));
  }
}
