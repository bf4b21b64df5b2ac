package io.gatun.tests.models;

import io.gatun.models.decoder.TinyDecoder;
import io.gatun.models.sam.Sam;
import io.gatun.tensor.DType;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What goes wrong in a warm-up is not seen but in slow first answers.
class WarmUpTest {
  @Test
  void segmentAnythingWarmsUp() throws Exception {
    Sam.warmUp().get(2, TimeUnit.MINUTES);
  }

  @ParameterizedTest
  @ValueSource(strings = {"INT4_G32", "INT4_G128", "INT4_G32_MIN", "INT8_G32"})
  void languageModelsWarmUp(String type) throws Exception {
    TinyDecoder.warmUp(DType.Tiled.parse(type)).get(2, TimeUnit.MINUTES);
  }
}
