package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.tests.TestData;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/// `gatun bench serve`.
class BenchServeTest {
  /// Its answers fill the context several times before the long prompt has been read: there are
  /// figures all the same.
  @Test
  void allIsMeasured() throws IOException {
    String model = TestData.pretrained("tiny-llm").toString();
    var run =
        InProcess.gatun("bench", "serve", "-m", model, "--clients", "3", "-n", "24", "--json");
    assertEquals(0, run.code(), run.err());
    var figures = new ObjectMapper().readTree(run.out());
    for (String name :
        new String[] {
          "one_client_decode_tokens_per_second",
          "clients_3_decode_tokens_per_second",
          "clients_3_first_token_p99_seconds",
          "clients_3_token_gap_p99_seconds",
          "clients_over_one",
          "before_long_prompt_token_gap_p50_seconds",
          "during_long_prompt_token_gap_p99_seconds",
          "long_prompt_p99_gap_over_median",
          "prefix_first_over_next",
          "one_client_with_constraint_decode_tokens_per_second",
          "batch_invariant_clients_3_decode_tokens_per_second"
        }) {
      assertTrue(figures.path(name).asDouble() > 0, name + ": " + figures);
    }
    for (String cost :
        new String[] {
          "constraint_cost_of_decode_percent",
          "batch_invariant_cost_percent",
          "clients_3_outside_of_model_percent"
        }) {
      assertTrue(figures.path(cost).asDouble() < 100, cost + ": " + figures);
      assertTrue(figures.has(cost), cost + ": " + figures);
    }
    double outside = figures.path("clients_3_outside_of_model_percent").asDouble();
    assertTrue(outside > 0, figures.toString());
  }
}
