package io.gatun.langchain4j;

import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.model.ModelProvider;
import dev.langchain4j.model.embedding.DimensionAwareEmbeddingModel;
import dev.langchain4j.model.embedding.listener.EmbeddingModelListener;
import dev.langchain4j.model.embedding.request.EmbeddingInputType;
import dev.langchain4j.model.embedding.request.EmbeddingParameter;
import dev.langchain4j.model.embedding.request.EmbeddingRequest;
import dev.langchain4j.model.embedding.request.EmbeddingRequestParameters;
import dev.langchain4j.model.embedding.response.EmbeddingResponse;
import dev.langchain4j.model.output.TokenUsage;
import io.gatun.models.Shared;
import io.gatun.models.TextEmbedder;
import io.gatun.models.nn.Quantization;
import io.gatun.tensor.DType;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;

/// A model that makes vectors of texts.
///
/// ```java
/// try (var model = GatunEmbeddingModel.builder().model("BAAI/bge-small-en-v1.5").build()) {
///   float[] vector = model.embed("Water that falls.").content().vector();
/// }
/// ```
///
/// Where the model wants other words before queries than before documents, the request's input type
/// chooses them; where it was trained for shorter vectors, too, `dimensions` does. Any thread may
/// use it: requests of several threads take turns, batch by batch.
public final class GatunEmbeddingModel extends DimensionAwareEmbeddingModel
    implements AutoCloseable {
  private record Key(
      String model,
      int threads,
      boolean truncate,
      DType.Plain dtype,
      Quantization.Mode quantization) {}

  private final Shared<TextEmbedder> shared;
  private final String name;
  private final List<EmbeddingModelListener> listeners;
  private final Set<EmbeddingParameter<?>> supported;

  private GatunEmbeddingModel(Builder builder) {
    if (builder.model == null) {
      throw new IllegalArgumentException("no model is named; need model(PATH or NAME)");
    }
    name = builder.model;
    listeners = builder.listeners;
    var key = new Key(name, builder.threads, builder.truncate, builder.dtype, builder.quantization);
    shared =
        Shared.open(
            key,
            () ->
                TextEmbedder.load(
                    name,
                    o -> {
                      o.truncate(key.truncate).quantization(key.quantization);
                      if (key.threads != 0) {
                        o.threads(key.threads);
                      }
                      if (key.dtype != null) {
                        o.dtype(key.dtype);
                      }
                    }));
    var all = new HashSet<EmbeddingParameter<?>>();
    all.add(EmbeddingRequestParameters.MODEL_NAME);
    all.add(EmbeddingRequestParameters.DIMENSIONS);
    if (!shared.get().prompts().isEmpty()) {
      all.add(EmbeddingRequestParameters.INPUT_TYPE);
    }
    supported = Set.copyOf(all);
  }

  public static Builder builder() {
    return new Builder();
  }

  @Override
  public EmbeddingResponse doEmbed(EmbeddingRequest request) {
    var model = shared.get();
    if (request.modelName() != null && !request.modelName().equals(name)) {
      throw new InvalidRequestException(
          "the model %s is asked for; this one is %s: build one for each"
              .formatted(request.modelName(), name));
    }
    int dimensions = request.dimensions() == null ? model.dimension() : request.dimensions();
    try {
      var texts =
          request.inputs().stream().map(input -> ChatMessages.text(input.contents())).toList();
      var tokens = model.encode(texts, promptName(model, request.inputType()));
      var vectors = model.embedTokens(tokens);
      var embeddings = new Embedding[vectors.length];
      for (int i = 0; i < vectors.length; i++) {
        embeddings[i] = Embedding.from(model.shortened(vectors[i], dimensions));
      }
      return EmbeddingResponse.builder()
          .embeddings(List.of(embeddings))
          .modelName(name)
          .tokenUsage(new TokenUsage(tokens.stream().mapToInt(ids -> ids.length).sum()))
          .build();
    } catch (IllegalArgumentException e) {
      throw new InvalidRequestException(e);
    }
  }

  private static String promptName(TextEmbedder model, EmbeddingInputType type) {
    var names = model.prompts().keySet();
    if (type == EmbeddingInputType.QUERY) {
      return names.contains("query") ? "query" : model.defaultPrompt();
    }
    if (type == EmbeddingInputType.DOCUMENT) {
      return names.contains("document") ? "document" : names.contains("passage") ? "passage" : null;
    }
    return model.defaultPrompt();
  }

  @Override
  public Set<EmbeddingParameter<?>> supportedParameters() {
    return supported;
  }

  @Override
  protected Integer knownDimension() {
    return shared.get().dimension();
  }

  @Override
  public String modelName() {
    return name;
  }

  @Override
  public List<EmbeddingModelListener> listeners() {
    return listeners;
  }

  @Override
  public ModelProvider provider() {
    return ModelProvider.OTHER;
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
    private boolean truncate;
    private DType.Plain dtype;
    private Quantization.Mode quantization = Quantization.Mode.NONE;
    private List<EmbeddingModelListener> listeners = List.of();

    private Builder() {}

    /// A path, or a name as the command line takes it: `ORG/MODEL`.
    public Builder model(String pathOrName) {
      model = Objects.requireNonNull(pathOrName, "the model is null");
      return this;
    }

    /// The threads that compute; by default one a core.
    public Builder threads(int value) {
      threads = value;
      return this;
    }

    /// Whether a text that is too long is cut; by default it is refused, since half a text may have
    /// another meaning.
    public Builder truncate(boolean value) {
      truncate = value;
      return this;
    }

    /// The type of the numbers that are computed with: `F32` or `BF16`; by default what the model
    /// was saved in, as far as the machine computes with it at speed.
    public Builder dtype(DType.Plain value) {
      dtype = value;
      return this;
    }

    /// What linear layers keep in 8 bits, by default nothing: `INT8_DYNAMIC` is the fastest where
    /// the processor has int8 products.
    public Builder quantization(Quantization.Mode value) {
      quantization = value;
      return this;
    }

    public Builder listeners(List<EmbeddingModelListener> value) {
      listeners = List.copyOf(value);
      return this;
    }

    /// Loads the model, unless another has it already.
    ///
    /// @throws IllegalArgumentException if no model is named
    /// @throws io.gatun.loaders.CheckpointException if there is no such model, or it is broken
    public GatunEmbeddingModel build() {
      return new GatunEmbeddingModel(this);
    }
  }
}
