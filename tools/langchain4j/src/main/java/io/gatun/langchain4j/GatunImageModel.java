package io.gatun.langchain4j;

import dev.langchain4j.data.image.Image;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.image.ImageModel;
import dev.langchain4j.model.output.Response;
import io.gatun.models.ImagineOptions;
import io.gatun.models.Shared;
import io.gatun.models.StableDiffusion;
import io.gatun.models.image.ImageException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;

/// A model that makes pictures of texts, and of pictures and texts. Pictures are PNG, as Base64;
/// those that are given must hold their data, since nothing is fetched.
public final class GatunImageModel implements ImageModel, AutoCloseable {
  private static final long MOST_PIXELS = 1L << 24;

  private record Key(String model, int threads) {}

  private final Shared<StableDiffusion> shared;
  private final Consumer<ImagineOptions> options;

  private GatunImageModel(Builder builder) {
    if (builder.model == null) {
      throw new IllegalArgumentException("no model is named; need model(PATH or NAME)");
    }
    options = builder.options;
    var key = new Key(builder.model, builder.threads);
    shared =
        Shared.open(
            key,
            () ->
                StableDiffusion.load(
                    key.model,
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
  public Response<Image> generate(String prompt) {
    return Response.from(imagine(prompt, o -> {}).getFirst());
  }

  @Override
  public Response<List<Image>> generate(String prompt, int n) {
    return Response.from(imagine(prompt, o -> o.batch(n)));
  }

  @Override
  public Response<Image> edit(Image image, String prompt) {
    var from = read(image);
    return Response.from(imagine(prompt, o -> o.initImage(from)).getFirst());
  }

  @Override
  public Response<Image> edit(Image image, Image mask, String prompt) {
    var from = read(image);
    var where = read(mask);
    return Response.from(imagine(prompt, o -> o.initImage(from).mask(where)).getFirst());
  }

  private List<Image> imagine(String prompt, Consumer<ImagineOptions> more) {
    try {
      var made = shared.get().imagine(prompt, options.andThen(more));
      var images = new ArrayList<Image>();
      for (var image : made.images()) {
        images.add(
            Image.builder()
                .base64Data(Base64.getEncoder().encodeToString(image.png(Map.of())))
                .mimeType("image/png")
                .build());
      }
      return images;
    } catch (IllegalArgumentException e) {
      throw new InvalidRequestException(e);
    }
  }

  private static io.gatun.models.image.Image read(Image image) {
    if (image.base64Data() == null) {
      throw new UnsupportedFeatureException(
          "an image by its address; need its data, since nothing is fetched");
    }
    try {
      byte[] file = Base64.getDecoder().decode(image.base64Data());
      return io.gatun.models.image.Image.read(file, MOST_PIXELS);
    } catch (ImageException | IllegalArgumentException e) {
      throw new InvalidRequestException("the image cannot be read: " + e.getMessage(), e);
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
    private Consumer<ImagineOptions> options = o -> {};

    private Builder() {}

    /// A path, or a name as the command line takes it.
    public Builder model(String pathOrName) {
      model = Objects.requireNonNull(pathOrName, "the model is null");
      return this;
    }

    /// The threads that compute; by default one a core.
    public Builder threads(int value) {
      threads = value;
      return this;
    }

    /// How pictures are made: `options(o -> o.steps(20).guidance(7).seed(1).size(512, 512))`.
    public Builder options(Consumer<ImagineOptions> value) {
      options = Objects.requireNonNull(value, "the options are null");
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
