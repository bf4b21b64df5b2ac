package io.gatun.spring.boot;

import io.gatun.spring.GatunChatModel;
import io.micrometer.core.instrument.binder.MeterBinder;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.health.autoconfigure.contributor.ConditionalOnEnabledHealthIndicator;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/// The language model's health and meters, where the application has what shows them.
@AutoConfiguration(after = GatunAutoConfiguration.class)
@ConditionalOnBean(GatunChatModel.class)
class GatunActuatorAutoConfiguration {
  @Configuration(proxyBeanMethods = false)
  @ConditionalOnClass(HealthIndicator.class)
  static class Health {
    @Bean
    @ConditionalOnEnabledHealthIndicator("gatun")
    GatunHealthIndicator gatunHealthIndicator(GatunChatModel model) {
      return new GatunHealthIndicator(model);
    }
  }

  @Configuration(proxyBeanMethods = false)
  @ConditionalOnClass(MeterBinder.class)
  static class Meters {
    @Bean
    GatunMeters gatunMeters(GatunChatModel model) {
      return new GatunMeters(model);
    }
  }
}
