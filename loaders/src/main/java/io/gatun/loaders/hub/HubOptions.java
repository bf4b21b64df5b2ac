package io.gatun.loaders.hub;

import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;

/// How models are fetched from the hub. What is not chosen comes from the environment, or a Java
/// property of the same name, as for Hugging Face's own library: `HF_HOME`, `HF_HUB_CACHE`,
/// `HF_ENDPOINT`, `HF_TOKEN` (else the file that `hf auth login` writes), `HF_HUB_OFFLINE`, and the
/// proxies that curl goes by: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`.
public final class HubOptions {
  Path cache;
  URI endpoint;
  String token;
  boolean offline = HubSettings.isTrue("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE");
  boolean links = !HubSettings.isTrue("HF_HUB_DISABLE_SYMLINKS");
  int parallel = 4;
  int tries = 6;
  Duration pause = Duration.ofSeconds(1);
  Duration timeout = Duration.ofSeconds(30);
  HubProgress progress = new HubProgress() {};
  private boolean tokenChosen;

  HubOptions() {}

  /// The folder of the cache: `$HF_HUB_CACHE`, `$HF_HOME/hub` or `~/.cache/huggingface/hub`.
  public HubOptions cache(Path value) {
    cache = Objects.requireNonNull(value, "cache is null");
    return this;
  }

  /// The hub's address, or a mirror's.
  public HubOptions endpoint(URI value) {
    endpoint = Objects.requireNonNull(value, "endpoint is null");
    return this;
  }

  /// The token that is sent to the endpoint, and to no other host; null for none.
  public HubOptions token(String value) {
    token = value;
    tokenChosen = true;
    return this;
  }

  /// Whether nothing is fetched: only what is in the cache is there.
  public HubOptions offline(boolean value) {
    offline = value;
    return this;
  }

  /// Whether snapshots are made of symbolic links, where the file system has them; otherwise the
  /// files themselves lie there.
  public HubOptions links(boolean value) {
    links = value;
    return this;
  }

  /// The most files that are fetched at once; by default 4.
  public HubOptions parallel(int value) {
    parallel = atLeastOne(value, "parallel");
    return this;
  }

  /// How often something is tried, with nothing gained, until it counts as failed; by default 6.
  public HubOptions tries(int value) {
    tries = atLeastOne(value, "tries");
    return this;
  }

  /// The pause before a second try, where the server asks for no other; it doubles with each
  /// further try. By default a second.
  public HubOptions pause(Duration value) {
    pause = Objects.requireNonNull(value, "pause is null");
    return this;
  }

  /// How long a server may send nothing; by default 30 seconds.
  public HubOptions timeout(Duration value) {
    timeout = Objects.requireNonNull(value, "timeout is null");
    return this;
  }

  /// Who is told how far it is; by default nobody.
  public HubOptions progress(HubProgress value) {
    progress = Objects.requireNonNull(value, "progress is null");
    return this;
  }

  private static int atLeastOne(int value, String name) {
    if (value < 1) {
      throw new IllegalArgumentException(name + " is " + value + "; need at least 1");
    }
    return value;
  }

  Path cache() {
    return (cache != null ? cache : HubSettings.cache()).toAbsolutePath().normalize();
  }

  URI endpoint() {
    var uri = endpoint != null ? endpoint : URI.create(HubSettings.endpoint());
    if (uri.getHost() == null
        || !"https".equals(uri.getScheme()) && !"http".equals(uri.getScheme())) {
      throw new IllegalArgumentException(
          "HF_ENDPOINT is %s; need an address such as https://huggingface.co".formatted(uri));
    }
    return uri;
  }

  String token() {
    String chosen = tokenChosen ? token : HubSettings.token();
    if (chosen != null && !chosen.matches("[\\x21-\\x7e]+")) {
      throw new IllegalArgumentException(
          "the token for the hub has blanks or characters that no token has; copy it again from its"
              + " page");
    }
    return chosen;
  }
}
