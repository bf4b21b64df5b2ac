package io.gatun.tests.models;

import io.gatun.models.sam.Sam;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// What goes wrong in a warm-up is not seen but in slow first answers.
class WarmUpTest {
  @Test
  void segmentAnythingWarmsUp() throws Exception {
    Sam.warmUp().get(2, TimeUnit.MINUTES);
  }
}
