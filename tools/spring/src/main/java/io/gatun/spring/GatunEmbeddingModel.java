package io.gatun.spring;

import io.gatun.models.Shared;
import io.gatun.models.TextEmbedder;
import io.micrometer.observation.ObservationRegistry;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.springframework.ai.chat.metadata.DefaultUsage;
import org.springframework.ai.document.Document;
import org.springframework.ai.document.MetadataMode;
import org.springframework.ai.embedding.BatchingStrategy;
import org.springframework.ai.embedding.Embedding;
import org.springframework.ai.embedding.EmbeddingModel;
import org.springframework.ai.embedding.EmbeddingOptions;
import org.springframework.ai.embedding.EmbeddingRequest;
import org.springframework.ai.embedding.EmbeddingResponse;
import org.springframework.ai.embedding.EmbeddingResponseMetadata;
import org.springframework.ai.embedding.observation.DefaultEmbeddingModelObservationConvention;
import org.springframework.ai.embedding.observation.EmbeddingModelObservationContext;
import org.springframework.ai.embedding.observation.EmbeddingModelObservationConvention;
import org.springframework.ai.embedding.observation.EmbeddingModelObservationDocumentation;

/// A model that makes vectors of texts.
///
/// Where the model wants other words before queries than before documents, documents get theirs,
/// and a single text ([#embed(String)], which vector stores call to search) those of queries;
/// requests and lists of texts have the model's default. Any thread may use it: requests of several
/// threads take turns, batch by batch.
public final class GatunEmbeddingModel implements EmbeddingModel, AutoCloseable {
  private static final EmbeddingModelObservationConvention CONVENTION =
      new DefaultEmbeddingModelObservationConvention();

  private record Key(String model, int threads, boolean truncate) {}

  private final Shared<TextEmbedder> shared;
  private final String name;
  private final MetadataMode metadata;
  private final ObservationRegistry observations;

  private GatunEmbeddingModel(Builder builder) {
    if (builder.model == null) {
      throw new IllegalArgumentException("no model is named; need model(PATH or NAME)");
    }
    name = builder.model;
    metadata = builder.metadata;
    observations = builder.observations;
    var key = new Key(name, builder.threads, builder.truncate);
    shared =
        Shared.open(
            key,
            () ->
                TextEmbedder.load(
                    name,
                    o -> {
                      o.truncate(key.truncate);
                      if (key.threads != 0) {
                        o.threads(key.threads);
                      }
                    }));
  }

  public static Builder builder() {
    return new Builder();
  }

  @Override
  public EmbeddingResponse call(EmbeddingRequest request) {
    return call(request, shared.get().defaultPrompt());
  }

  private EmbeddingResponse call(EmbeddingRequest request, String prompt) {
    var model = shared.get();
    var given = request.getOptions();
    if (given != null && given.getModel() != null && !given.getModel().equals(name)) {
      throw new IllegalArgumentException(
          "the model %s is asked for; this one is %s: make one for each"
              .formatted(given.getModel(), name));
    }
    int dimensions =
        given == null || given.getDimensions() == null ? model.dimension() : given.getDimensions();
    var options = EmbeddingOptions.builder().model(name).dimensions(dimensions).build();
    var context =
        EmbeddingModelObservationContext.builder()
            .embeddingRequest(new EmbeddingRequest(request.getInstructions(), options))
            .provider(GatunChatModel.PROVIDER)
            .build();
    return EmbeddingModelObservationDocumentation.EMBEDDING_MODEL_OPERATION
        .observation(null, CONVENTION, () -> context, observations)
        .observe(
            () -> {
              var tokens = model.encode(request.getInstructions(), prompt);
              var vectors = model.embedTokens(tokens);
              var embeddings = new ArrayList<Embedding>();
              for (float[] vector : vectors) {
                embeddings.add(
                    new Embedding(model.shortened(vector, dimensions), embeddings.size()));
              }
              int read = tokens.stream().mapToInt(ids -> ids.length).sum();
              var response =
                  new EmbeddingResponse(
                      embeddings, new EmbeddingResponseMetadata(name, new DefaultUsage(read, 0)));
              context.setResponse(response);
              return response;
            });
  }

  /// The vector of a query.
  @Override
  public float[] embed(String text) {
    return vectors(List.of(text), null, "query").getFirst();
  }

  @Override
  public float[] embed(Document document) {
    return vectors(List.of(getEmbeddingContent(document)), null, "document").getFirst();
  }

  @Override
  public List<float[]> embed(
      List<Document> documents, EmbeddingOptions options, BatchingStrategy batches) {
    var vectors = new ArrayList<float[]>();
    for (var batch : batches.batch(documents)) {
      var texts = batch.stream().map(this::getEmbeddingContent).toList();
      vectors.addAll(vectors(texts, options, "document"));
    }
    return vectors;
  }

  private List<float[]> vectors(List<String> texts, EmbeddingOptions options, String kind) {
    var model = shared.get();
    var names = model.prompts().keySet();
    String prompt =
        names.contains(kind)
            ? kind
            : !kind.equals("document")
                ? model.defaultPrompt()
                : names.contains("passage") ? "passage" : null;
    return call(new EmbeddingRequest(texts, options), prompt).getResults().stream()
        .map(Embedding::getOutput)
        .toList();
  }

  @Override
  public String getEmbeddingContent(Document document) {
    return metadata == MetadataMode.NONE
        ? document.getText()
        : document.getFormattedContent(metadata).stripLeading();
  }

  @Override
  public int dimensions() {
    return shared.get().dimension();
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
    private MetadataMode metadata = MetadataMode.NONE;
    private ObservationRegistry observations = ObservationRegistry.NOOP;

    private Builder() {}

    /// A path, or a name as the command line takes it: `ORG/MODEL`.
    public Builder model(String pathOrName) {
      model = pathOrName;
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

    /// What of a document's metadata stands before its text; by default nothing.
    public Builder metadataMode(MetadataMode value) {
      metadata = Objects.requireNonNull(value, "the mode is null");
      return this;
    }

    /// Who is told of requests, with their tokens and times.
    public Builder observationRegistry(ObservationRegistry value) {
      observations = Objects.requireNonNull(value, "the registry is null");
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
