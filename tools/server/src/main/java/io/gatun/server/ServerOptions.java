package io.gatun.server;

import io.gatun.server.http.Settings;
import io.gatun.server.models.Catalog;
import io.gatun.tensor.DType;
import io.gatun.tensor.runtime.Workers;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.function.Consumer;

/// What a server serves, and to whom: `Server.start(o -> o.model(path).port(8080))`.
public final class ServerOptions {
  final Settings settings = new Settings();

  ServerOptions() {}

  /// A model under the name of its file or folder.
  public ServerOptions model(Path path) {
    return model(Catalog.name(path), path);
  }

  /// A model under a name.
  ///
  /// @throws IllegalArgumentException if there is another of this name
  public ServerOptions model(String name, Path path) {
    if (settings.models.putIfAbsent(name, path) != null) {
      throw new IllegalArgumentException(
          "two models are called \"%s\": %s and %s; give one another name, as name=path"
              .formatted(name, settings.models.get(name), path));
    }
    return this;
  }

  /// Serves all models in a folder: its GGUF, safetensors and pth files, and the folders in it that
  /// hold a configuration.
  public ServerOptions folder(Path value) {
    settings.folder = value;
    return this;
  }

  /// The address to listen at; by default 127.0.0.1, where only this machine reaches it.
  public ServerOptions host(String value) {
    settings.host = Objects.requireNonNull(value, "host is null");
    return this;
  }

  /// The port; by default any that is free.
  public ServerOptions port(int value) {
    if (value < 0 || value > 65535) {
      throw new IllegalArgumentException("port is " + value + "; need 0 to 65535");
    }
    settings.port = value;
    return this;
  }

  /// Another name or address under which clients know this server, beside localhost, the machine's
  /// name, and addresses in numbers.
  public ServerOptions hostName(String value) {
    settings.hosts.add(value);
    return this;
  }

  /// Where pages that may ask come from, beside this server's own: `https://chat.example.org` of a
  /// proxy before it that names another host to it than browsers do.
  ///
  /// @throws IllegalArgumentException if it is no origin
  public ServerOptions origin(String value) {
    if (!value.matches("https?://[^/\\s*]+")) {
      throw new IllegalArgumentException(
          "the origin is \"%s\"; need http:// or https:// and a host, as in https://chat.example.org"
              .formatted(value));
    }
    settings.origins.add(value);
    return this;
  }

  /// A key that lets requests in, as `Authorization: Bearer KEY`; by default none is needed.
  ///
  /// @throws IllegalArgumentException if it has fewer than 8 characters
  public ServerOptions apiKey(String value) {
    if (value.length() < 8) {
      throw new IllegalArgumentException("a key has fewer than 8 characters, and can be guessed");
    }
    settings.keys.add(value);
    return this;
  }

  /// Whether anyone who reaches an address other than this machine's own may use it without a key.
  public ServerOptions open(boolean value) {
    settings.open = value;
    return this;
  }

  /// The most answers of a model that are written at once; by default 8.
  public ServerOptions parallel(int value) {
    settings.parallel = value;
    return this;
  }

  /// The most requests that wait for a model; by default 64. Others are told to come later.
  public ServerOptions queue(int value) {
    settings.queue = value;
    return this;
  }

  /// The most tokens of a conversation; by default what the model was made for.
  public ServerOptions context(int value) {
    settings.context = value;
    return this;
  }

  /// The threads that compute; by default the machine's physical cores.
  public ServerOptions threads(int value) {
    settings.threads = Workers.checkThreads(value);
    return this;
  }

  /// Whether GGUF files are repacked for speed, once, into the user's cache.
  public ServerOptions pack(boolean value) {
    settings.pack = value;
    return this;
  }

  /// Whether an answer with a seed is the same, bit for bit, whatever else runs; what it costs,
  /// [io.gatun.models.engine.EngineOptions#batchInvariant] says.
  public ServerOptions batchInvariant(boolean value) {
    settings.batchInvariant = value;
    return this;
  }

  /// The type of keys and values in the cache; by default F16.
  public ServerOptions kv(DType.Plain value) {
    settings.kv = value;
    return this;
  }

  /// The most bytes of keys and values of one model's answers and prefixes; by default 2 GiB.
  public ServerOptions kvMemory(long value) {
    settings.kvMemory = value;
    return this;
  }

  /// The most bytes of all models that are loaded, keys and values included: the model that was not
  /// used for longest goes for another. By default no limit.
  public ServerOptions memory(long value) {
    settings.memory = value;
    return this;
  }

  /// The most bytes of a request's body; by default 20 MiB, and never more than a sixth of the
  /// heap.
  public ServerOptions bodyLimit(long value) {
    settings.bodyLimit = value;
    return this;
  }

  /// The most pixels of an image; by default 50 million.
  public ServerOptions pixelLimit(long value) {
    settings.pixelLimit = value;
    return this;
  }

  /// How long a request may take; by default 10 minutes. One that takes longer ends with an error.
  public ServerOptions timeout(Duration value) {
    settings.timeout = value;
    return this;
  }

  /// How long a connection may stand still while it is read or written; by default 30 seconds.
  public ServerOptions idle(Duration value) {
    settings.idle = value;
    return this;
  }

  /// After how long without a token a stream says by a comment that it goes on; by default 15
  /// seconds.
  public ServerOptions ping(Duration value) {
    settings.ping = value;
    return this;
  }

  /// A small model that guesses tokens for the others, where its vocabulary is theirs.
  public ServerOptions draft(Path value) {
    settings.draft = value;
    return this;
  }

  /// Adds a low-rank adaptation in PEFT's form to a language model; may be called several times.
  ///
  /// @param model its name; null for the first
  /// @param strength 1 as it was trained; may be negative
  public ServerOptions lora(String model, Path adapter, double strength) {
    settings.loras.add(
        new Settings.Lora(model, Objects.requireNonNull(adapter, "the adapter is null"), strength));
    return this;
  }

  /// Whether tokens are guessed by what followed the last ones earlier in the text; by default they
  /// are not. A [#draft] comes before this.
  public ServerOptions lookup(boolean value) {
    settings.lookup = value;
    return this;
  }

  /// An index of documents that `gatun index` made, to search in and to answer from; by default
  /// there is none. It needs the module io.gatun.search. Its embedder is among the models then.
  ///
  /// @param folder the index's, or that of the documents
  public ServerOptions index(Path folder) {
    settings.index = folder;
    return this;
  }

  /// Where the index's embedder lies now; by default where it was when the index was made.
  public ServerOptions embedder(Path value) {
    settings.embedder = value;
    return this;
  }

  /// The Label Studio from which images of tasks are fetched that `/predict` is asked about; by
  /// default there is none, and no image is fetched from anywhere.
  ///
  /// @param key a user's access token there, or null
  /// @throws IllegalArgumentException if it is no address
  public ServerOptions labelStudio(URI value, String key) {
    if (value.getHost() == null || !String.valueOf(value.getScheme()).matches("https?")) {
      throw new IllegalArgumentException(
          "Label Studio is at \"%s\"; need a URL such as http://localhost:8080".formatted(value));
    }
    settings.labelStudio = value;
    settings.labelStudioKey = key;
    return this;
  }

  /// Takes the lines that tell the user of what is loaded and unloaded; by default nobody does.
  public ServerOptions notices(Consumer<String> value) {
    settings.notices = value;
    return this;
  }
}
