package io.gatun.tests.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.spring.GatunChatModel;
import io.gatun.spring.GatunEmbeddingModel;
import io.gatun.spring.GatunImageModel;
import io.gatun.spring.boot.GatunProperties;
import io.gatun.tests.TestData;
import io.micrometer.core.instrument.binder.MeterBinder;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.lang.invoke.MethodType;
import java.net.URL;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.ai.chat.client.ChatClient;
import org.springframework.boot.context.properties.bind.DataObjectPropertyName;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.boot.diagnostics.FailureAnalyzer;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.health.contributor.Status;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.io.support.SpringFactoriesLoader;

/// What Spring Boot makes of properties.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SpringBootTest {
  private static final String METADATA = "META-INF/spring-configuration-metadata.json";
  private static final String TINY = TestData.pretrained("tiny-llm").toString();

  /// Finds the starter's auto-configuration as an application does, in its jar.
  @Configuration(proxyBeanMethods = false)
  @org.springframework.boot.autoconfigure.EnableAutoConfiguration
  static class Application {}

  private static ApplicationContextRunner application(String... properties) {
    return new ApplicationContextRunner()
        .withUserConfiguration(Application.class)
        .withPropertyValues(properties);
  }

  @Test
  void propertiesMakeModels() {
    application(
            "spring.ai.gatun.chat.model=" + TINY,
            "spring.ai.gatun.chat.name=courtier",
            "spring.ai.gatun.chat.temperature=0",
            "spring.ai.gatun.chat.max-tokens=5",
            "spring.ai.gatun.chat.timeout=30s",
            "spring.ai.gatun.chat.template-variables.enable_thinking=false",
            "spring.ai.gatun.threads=1",
            "spring.ai.gatun.image.model=" + TestData.pretrained("tiny-sd"),
            "spring.ai.gatun.image.steps=2")
        .run(
            context -> {
              var model = context.getBean(GatunChatModel.class);
              assertEquals("courtier", model.getOptions().getModel());
              assertEquals(5, model.getOptions().getMaxTokens());
              var answer = context.getBean(ChatClient.Builder.class).build().prompt("Who?").call();
              assertEquals(5, answer.chatResponse().getMetadata().getUsage().getCompletionTokens());
              assertNotNull(context.getBean(GatunImageModel.class));
              assertTrue(context.getBeansOfType(GatunEmbeddingModel.class).isEmpty());

              var health = context.getBean("gatunHealthIndicator", HealthIndicator.class);
              assertEquals(Status.UP, health.health().getStatus());
              assertEquals("courtier", health.health().getDetails().get("model"));
              var meters = new SimpleMeterRegistry();
              context.getBeansOfType(MeterBinder.class).values().forEach(m -> m.bindTo(meters));
              assertEquals(5, meters.get("gatun.tokens.answer").functionCounter().count());
              assertEquals(0, meters.get("gatun.requests.running").gauge().value());

              context.close();
              assertThrows(IllegalStateException.class, model::stats);
              assertEquals(Status.DOWN, health.health().getStatus());
            });
  }

  /// What editors are told of the properties is what there is.
  @Test
  void editorsKnowTheProperties() throws Exception {
    JsonNode told = null;
    for (var url :
        Collections.list(GatunProperties.class.getClassLoader().getResources(METADATA))) {
      var read = read(url);
      told = read.toString().contains(GatunProperties.class.getName()) ? read : told;
    }
    assertNotNull(told);
    var found = new TreeMap<String, String>();
    for (var property : told.path("properties")) {
      assertTrue(property.path("description").asText().endsWith("."), property.toString());
      var value = property.get("defaultValue");
      found.put(
          property.path("name").asText(),
          property.path("type").asText() + (value == null ? "" : " = " + value.asText()));
    }
    var expected = new TreeMap<String, String>();
    collect("spring.ai.gatun", GatunProperties.class, expected);
    assertEquals(expected, found);
    assertEquals(4, told.path("groups").size());
  }

  private static JsonNode read(URL url) throws Exception {
    try (var in = url.openStream()) {
      return new ObjectMapper().readTree(in);
    }
  }

  private static void collect(String prefix, Class<?> type, Map<String, String> all) {
    for (var part : type.getRecordComponents()) {
      String name = prefix + "." + DataObjectPropertyName.toDashedForm(part.getName());
      if (part.getType().isRecord()) {
        collect(name, part.getType(), all);
        continue;
      }
      // Of a record's annotations those of its constructor's parameters are kept.
      var parameters = type.getDeclaredConstructors()[0].getParameters();
      var value =
          Stream.of(parameters)
              .filter(p -> p.getName().equals(part.getName()))
              .map(p -> p.getAnnotation(DefaultValue.class))
              .filter(d -> d != null && d.value().length > 0)
              .map(d -> " = " + d.value()[0])
              .findFirst();
      String boxed =
          part.getType().isPrimitive()
              ? MethodType.methodType(part.getType()).wrap().returnType().getName()
              : part.getGenericType().getTypeName().replace(", ", ",");
      all.put(name, boxed + value.orElse(""));
    }
  }

  @Test
  void nothingIsMadeThatIsNotNamed() {
    application()
        .run(context -> assertTrue(context.getBeansOfType(GatunChatModel.class).isEmpty()));
    application("spring.ai.gatun.chat.model=" + TINY, "spring.ai.model.chat=other")
        .run(context -> assertTrue(context.getBeansOfType(GatunChatModel.class).isEmpty()));
  }

  @Test
  void aFailureIsExplained() {
    application("spring.ai.gatun.chat.model=no/such.gguf")
        .run(
            context -> {
              var failure = context.getStartupFailure();
              assertNotNull(failure);
              var analyses =
                  SpringFactoriesLoader.forDefaultResourceLocation()
                      .load(
                          FailureAnalyzer.class,
                          SpringFactoriesLoader.FailureHandler.handleMessage((m, e) -> {}))
                      .stream()
                      .map(analyzer -> analyzer.analyze(failure))
                      .filter(analysis -> analysis != null)
                      .toList();
              assertFalse(analyses.isEmpty());
              assertTrue(
                  analyses.getFirst().getDescription().contains("no/such.gguf"),
                  analyses.getFirst().getDescription());
            });
  }
}
