package io.gatun.spring.boot;

import io.gatun.spring.GatunChatModel;
import io.gatun.spring.GatunEmbeddingModel;
import io.gatun.spring.GatunImageModel;
import io.micrometer.observation.ObservationRegistry;
import org.springframework.ai.model.SpringAIModelProperties;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;

/// Makes the models that the application's properties name, before what needs one, and closes them
/// with the application.
@AutoConfiguration(
    beforeName =
        "org.springframework.ai.model.chat.client.autoconfigure.ChatClientAutoConfiguration")
@EnableConfigurationProperties(GatunProperties.class)
class GatunAutoConfiguration {
  private static final String NAME = "gatun";

  @Bean
  @ConditionalOnMissingBean
  @ConditionalOnProperty("spring.ai.gatun.chat.model")
  @ConditionalOnProperty(
      name = SpringAIModelProperties.CHAT_MODEL,
      havingValue = NAME,
      matchIfMissing = true)
  GatunChatModel gatunChatModel(
      GatunProperties properties, ObjectProvider<ObservationRegistry> observations) {
    var chat = properties.chat();
    return GatunChatModel.builder()
        .model(chat.model())
        .options(chat.options())
        .context(chat.context())
        .parallel(chat.parallel())
        .threads(properties.threads())
        .timeout(chat.timeout())
        .observationRegistry(observations.getIfUnique(() -> ObservationRegistry.NOOP))
        .build();
  }

  @Bean
  @ConditionalOnMissingBean
  @ConditionalOnProperty("spring.ai.gatun.embedding.model")
  @ConditionalOnProperty(
      name = SpringAIModelProperties.EMBEDDING_MODEL,
      havingValue = NAME,
      matchIfMissing = true)
  GatunEmbeddingModel gatunEmbeddingModel(
      GatunProperties properties, ObjectProvider<ObservationRegistry> observations) {
    var embedding = properties.embedding();
    return GatunEmbeddingModel.builder()
        .model(embedding.model())
        .truncate(embedding.truncate())
        .threads(properties.threads())
        .observationRegistry(observations.getIfUnique(() -> ObservationRegistry.NOOP))
        .build();
  }

  @Bean
  @ConditionalOnMissingBean
  @ConditionalOnProperty("spring.ai.gatun.image.model")
  @ConditionalOnProperty(
      name = SpringAIModelProperties.IMAGE_MODEL,
      havingValue = NAME,
      matchIfMissing = true)
  GatunImageModel gatunImageModel(
      GatunProperties properties, ObjectProvider<ObservationRegistry> observations) {
    var image = properties.image();
    return GatunImageModel.builder()
        .model(image.model())
        .options(image.options())
        .threads(properties.threads())
        .observationRegistry(observations.getIfUnique(() -> ObservationRegistry.NOOP))
        .build();
  }
}
