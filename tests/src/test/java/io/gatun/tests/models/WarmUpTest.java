package io.gatun.tests.models;

import io.gatun.models.decoder.TinyDecoder;
import io.gatun.models.sam.Sam;
import io.gatun.tensor.DType;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// What goes wrong in a warm-up is not seen but in slow first answers.
class WarmUpTest {
  @Test
  void segmentAnythingWarmsUp() throws Exception {
    Sam.warmUp().get(2, TimeUnit.MINUTES);
  }

  @Test
  void languageModelsWarmUp() throws Exception {
    var types = Stream.of("INT4_G32", "INT4_G128", "INT4_G32_MIN", "INT8_G32");
    for (var ended : types.map(DType.Tiled::parse).map(TinyDecoder::warmUp).toList()) {
      ended.get(2, TimeUnit.MINUTES);
    }
  }
}
