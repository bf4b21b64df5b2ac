package io.gatun.langchain4j;

import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.model.output.Response;
import dev.langchain4j.model.output.TokenUsage;
import dev.langchain4j.model.scoring.ScoringModel;
import io.gatun.models.Reranker;
import io.gatun.models.Shared;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/// A model that tells how well texts answer a query.
public final class GatunScoringModel implements ScoringModel, AutoCloseable {
  private record Key(String model, int threads, boolean truncate) {}

  private final Shared<Reranker> shared;

  private GatunScoringModel(Builder builder) {
    if (builder.model == null) {
      throw new IllegalArgumentException("no model is named; need model(PATH or NAME)");
    }
    var key = new Key(builder.model, builder.threads, builder.truncate);
    shared =
        Shared.open(
            key,
            () ->
                Reranker.load(
                    key.model,
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
  public Response<List<Double>> scoreAll(List<TextSegment> segments, String query) {
    try {
      var judgement = shared.get().judge(query, segments.stream().map(TextSegment::text).toList());
      var scores = new ArrayList<Double>();
      for (float score : judgement.scores()) {
        scores.add((double) score);
      }
      return Response.from(scores, new TokenUsage(judgement.tokens()));
    } catch (IllegalArgumentException e) {
      throw new InvalidRequestException(e);
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
    private boolean truncate;

    private Builder() {}

    /// A path, or a name as the command line takes it: `BAAI/bge-reranker-base`.
    public Builder model(String pathOrName) {
      model = Objects.requireNonNull(pathOrName, "the model is null");
      return this;
    }

    /// The threads that compute; by default one a core.
    public Builder threads(int value) {
      threads = value;
      return this;
    }

    /// Whether a text that is too long is cut; by default it is refused.
    public Builder truncate(boolean value) {
      truncate = value;
      return this;
    }

    /// Loads the model, unless another has it already.
    ///
    /// @throws IllegalArgumentException if no model is named
    /// @throws io.gatun.loaders.CheckpointException if there is no such model, or it is broken
    public GatunScoringModel build() {
      return new GatunScoringModel(this);
    }
  }
}
