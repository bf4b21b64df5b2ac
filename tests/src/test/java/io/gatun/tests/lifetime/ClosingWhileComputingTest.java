package io.gatun.tests.lifetime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tests.Processes;
import io.gatun.tests.TestData;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Closing waits for what reads the memory, whoever reads it.
class ClosingWhileComputingTest {
  @Test
  void nothingCrashesAndNobodyWaitsForEver() throws Exception {
    var result = Processes.run(Processes.java(ClosingWhileComputing.class, List.of()));
    assertEquals("fine\n", result.out(), result::err);
    assertEquals(0, result.code(), result::err);
  }

  @SuppressWarnings("try") // closed early, or not
  @Test
  void aTaskCannotCloseWhatItMayBeReading() {
    try (var checkpoint = Checkpoint.open(TestData.pretrained("tiny-llm"));
        var workers = new Workers(2)) {
      var error =
          assertThrows(
              IllegalStateException.class,
              () -> workers.forEach(64, 1, (worker, from, to) -> checkpoint.close()));
      assertTrue(error.getMessage().contains("a task cannot close"), error::getMessage);
      checkpoint.tensor("model.embed_tokens.weight").getFloat(0, 0);
    }
  }
}
