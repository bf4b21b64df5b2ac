package io.gatun.spring.boot;

import io.gatun.spring.GatunChatModel;
import org.springframework.boot.health.contributor.AbstractHealthIndicator;
import org.springframework.boot.health.contributor.Health;

/// Up while the language model is open, with what its engine does.
final class GatunHealthIndicator extends AbstractHealthIndicator {
  private final GatunChatModel model;

  GatunHealthIndicator(GatunChatModel model) {
    super("the language model is closed");
    this.model = model;
  }

  @Override
  protected void doHealthCheck(Health.Builder health) {
    var stats = model.stats();
    health
        .up()
        .withDetail("model", model.getOptions().getModel())
        .withDetail("running", stats.running())
        .withDetail("waiting", stats.waiting())
        .withDetail("cacheBytes", stats.cacheBytes())
        .withDetail("memory", stats.memory());
  }
}
