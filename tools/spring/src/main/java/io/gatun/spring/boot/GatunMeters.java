package io.gatun.spring.boot;

import io.gatun.models.engine.Stats;
import io.gatun.spring.GatunChatModel;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.BaseUnits;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.function.ToDoubleFunction;

/// What the language model's engine does, as meters. Requests and their tokens are observed by the
/// model itself, as with any of Spring AI.
final class GatunMeters implements MeterBinder {
  private final GatunChatModel model;

  GatunMeters(GatunChatModel model) {
    this.model = model;
  }

  @Override
  public void bindTo(MeterRegistry registry) {
    gauge(registry, "gatun.requests.running", "requests", "answers being written", Stats::running);
    gauge(registry, "gatun.requests.waiting", "requests", "requests not begun", Stats::waiting);
    gauge(registry, "gatun.cache.used", BaseUnits.BYTES, "keys and values", Stats::cacheBytes);
    gauge(registry, "gatun.cache.limit", BaseUnits.BYTES, "most of them", Stats::memory);
    count(registry, "gatun.tokens.prompt", "tokens of prompts that were read", Stats::promptTokens);
    count(registry, "gatun.tokens.cached", "of prompts, from the cache", Stats::cachedTokens);
    count(registry, "gatun.tokens.answer", "tokens that were written", Stats::answerTokens);
  }

  private void gauge(
      MeterRegistry registry,
      String name,
      String unit,
      String description,
      ToDoubleFunction<Stats> value) {
    Gauge.builder(name, model, m -> value.applyAsDouble(m.stats()))
        .tag("model", model.getOptions().getModel())
        .baseUnit(unit)
        .description(description)
        .register(registry);
  }

  private void count(
      MeterRegistry registry, String name, String description, ToDoubleFunction<Stats> value) {
    FunctionCounter.builder(name, model, m -> value.applyAsDouble(m.stats()))
        .tag("model", model.getOptions().getModel())
        .baseUnit("tokens")
        .description(description)
        .register(registry);
  }
}
