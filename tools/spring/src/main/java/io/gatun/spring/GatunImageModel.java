package io.gatun.spring;

import io.gatun.models.ImagineOptions;
import io.gatun.models.Shared;
import io.gatun.models.StableDiffusion;
import io.gatun.models.diffusion.ImageParameters;
import io.gatun.models.image.ImageException;
import io.micrometer.observation.ObservationRegistry;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.springframework.ai.content.Media;
import org.springframework.ai.image.Image;
import org.springframework.ai.image.ImageGeneration;
import org.springframework.ai.image.ImageGenerationMetadata;
import org.springframework.ai.image.ImageMessage;
import org.springframework.ai.image.ImageModel;
import org.springframework.ai.image.ImageOptions;
import org.springframework.ai.image.ImagePrompt;
import org.springframework.ai.image.ImageResponse;
import org.springframework.ai.image.observation.DefaultImageModelObservationConvention;
import org.springframework.ai.image.observation.ImageModelObservationContext;
import org.springframework.ai.image.observation.ImageModelObservationConvention;
import org.springframework.ai.image.observation.ImageModelObservationDocumentation;

/// A model that makes pictures of texts, and of pictures and texts: a picture in the message's
/// media is what it begins with. Pictures are PNG, as Base64. What it cannot do is refused by an
/// `IllegalArgumentException`: another model's name, a style, pictures by their address.
public final class GatunImageModel implements ImageModel, AutoCloseable {
  private static final long MOST_PIXELS = 1L << 24;
  private static final ImageModelObservationConvention CONVENTION =
      new DefaultImageModelObservationConvention();

  /// What a picture was made with.
  public record Metadata(ImageParameters parameters) implements ImageGenerationMetadata {}

  private record Key(String model, int threads) {}

  private final Shared<StableDiffusion> shared;
  private final String name;
  private final GatunImageOptions options;
  private final ObservationRegistry observations;

  private GatunImageModel(Builder builder) {
    if (builder.model == null) {
      throw new IllegalArgumentException("no model is named; need model(PATH or NAME)");
    }
    name = builder.model;
    options = builder.options;
    observations = builder.observations;
    var key = new Key(name, builder.threads);
    shared =
        Shared.open(
            key,
            () ->
                StableDiffusion.load(
                    name,
                    o -> {
                      if (key.threads != 0) {
                        o.threads(key.threads);
                      }
                    }));
  }

  public static Builder builder() {
    return new Builder();
  }

  @Override
  public ImageResponse call(ImagePrompt prompt) {
    check(prompt.getOptions());
    var all = prompt.getOptions() == null ? options : given(prompt.getOptions()).or(options);
    var message = message(prompt);
    var media = message.getMedia().isEmpty() ? null : read(message.getMedia().getFirst());
    var context =
        ImageModelObservationContext.builder()
            .imagePrompt(new ImagePrompt(prompt.getInstructions(), all))
            .provider(GatunChatModel.PROVIDER)
            .build();
    return ImageModelObservationDocumentation.IMAGE_MODEL_OPERATION
        .observation(null, CONVENTION, () -> context, observations)
        .observe(
            () -> {
              var made =
                  shared
                      .get()
                      .imagine(
                          message.getText(),
                          o -> {
                            set(all, o);
                            if (media != null) {
                              o.initImage(media);
                            }
                          });
              var images = new ArrayList<ImageGeneration>();
              for (int i = 0; i < made.images().size(); i++) {
                byte[] png = made.images().get(i).png(Map.of());
                images.add(
                    new ImageGeneration(
                        new Image(null, Base64.getEncoder().encodeToString(png)),
                        new Metadata(made.parameters().get(i))));
              }
              var response = new ImageResponse(images);
              context.setResponse(response);
              return response;
            });
  }

  private static GatunImageOptions given(ImageOptions options) {
    return options instanceof GatunImageOptions own ? own : GatunImageOptions.DEFAULT.or(options);
  }

  private void check(ImageOptions given) {
    if (given == null) {
      return;
    }
    if (given.getModel() != null && !given.getModel().equals(name)) {
      throw new IllegalArgumentException(
          "the model %s is asked for; this one is %s: make one for each"
              .formatted(given.getModel(), name));
    }
    if (given.getStyle() != null) {
      throw new IllegalArgumentException(
          "the style %s is asked for; say it in the prompt".formatted(given.getStyle()));
    }
    String format = given.getResponseFormat();
    if (format != null && !format.equals("b64_json")) {
      throw new IllegalArgumentException(
          "the response format %s is asked for; need b64_json".formatted(format));
    }
  }

  private static ImageMessage message(ImagePrompt prompt) {
    var messages = prompt.getInstructions();
    if (messages.size() != 1) {
      throw new IllegalArgumentException(
          "%d messages in a prompt; need one. What a picture should not show is the option negative"
              .formatted(messages.size()));
    }
    var message = messages.getFirst();
    if (message.getWeight() != null && message.getWeight() != 1) {
      throw new IllegalArgumentException(
          "a message's weight of %s; weights are written into the prompt: (words:1.2)"
              .formatted(message.getWeight()));
    }
    if (message.getMedia().size() > 1) {
      throw new IllegalArgumentException(
          "%d pictures to begin with; need one".formatted(message.getMedia().size()));
    }
    return message;
  }

  private static io.gatun.models.image.Image read(Media media) {
    if (!(media.getData() instanceof byte[] file)) {
      throw new IllegalArgumentException(
          "a picture by its address; need its data, since nothing is fetched");
    }
    try {
      return io.gatun.models.image.Image.read(file, MOST_PIXELS);
    } catch (ImageException e) {
      throw new IllegalArgumentException("the picture cannot be read: " + e.getMessage(), e);
    }
  }

  private static void set(GatunImageOptions from, ImagineOptions to) {
    set(from.n(), to::batch);
    set(from.width(), to::width);
    set(from.height(), to::height);
    set(from.negative(), to::negative);
    set(from.steps(), to::steps);
    set(from.guidance(), to::guidance);
    set(from.seed(), to::seed);
    set(from.scheduler(), to::scheduler);
    set(from.strength(), to::strength);
  }

  private static <T> void set(T value, Consumer<T> setter) {
    if (value != null) {
      setter.accept(value);
    }
  }

  /// Gives the model back, which the last user closes.
  @Override
  public void close() {
    shared.close();
  }

  /// Builds it.
  public static final class Builder {
    private String model;
    private int threads;
    private GatunImageOptions options = GatunImageOptions.DEFAULT;
    private ObservationRegistry observations = ObservationRegistry.NOOP;

    private Builder() {}

    /// A path, or a name as the command line takes it.
    public Builder model(String pathOrName) {
      model = pathOrName;
      return this;
    }

    /// The threads that compute; by default one a core.
    public Builder threads(int value) {
      threads = value;
      return this;
    }

    /// The options of prompts that say nothing else.
    public Builder options(GatunImageOptions value) {
      options = Objects.requireNonNull(value, "the options are null");
      return this;
    }

    /// Who is told of requests and their times.
    public Builder observationRegistry(ObservationRegistry value) {
      observations = Objects.requireNonNull(value, "the registry is null");
      return this;
    }

    /// Loads the model, unless another has it already.
    ///
    /// @throws IllegalArgumentException if no model is named
    /// @throws io.gatun.loaders.CheckpointException if there is no such model, or it is broken
    public GatunImageModel build() {
      return new GatunImageModel(this);
    }
  }
}
