package io.gatun.server.http;

import io.gatun.tensor.DType;
import io.gatun.tensor.runtime.Workers;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/// What was chosen for a server. [io.gatun.server.ServerOptions] says what each value means, checks
/// and sets it; all others only read.
public final class Settings {
  public final Map<String, Path> models = new LinkedHashMap<>();
  public final List<String> hosts = new ArrayList<>();
  public final List<String> keys = new ArrayList<>();
  public final List<String> origins = new ArrayList<>();
  public Path folder;
  public String host = "127.0.0.1";
  public int port;
  public boolean open;
  public int parallel = 8;
  public int queue = 64;
  public int context;
  public int threads = Workers.defaultThreads();
  public boolean pack;
  public boolean batchInvariant;
  public DType.Plain kv = DType.Plain.F16;
  public long kvMemory = 2L << 30;
  public long memory = Long.MAX_VALUE;
  public long bodyLimit = 20L << 20;
  public long pixelLimit = 50_000_000;
  public Duration timeout = Duration.ofMinutes(10);
  public Duration idle = Duration.ofSeconds(30);
  public Duration ping = Duration.ofSeconds(15);
  public Path draft;

  /// A low-rank adaptation of a language model, of the first if it is not named.
  public record Lora(String model, Path adapter, double strength) {}

  public final List<Lora> loras = new ArrayList<>();
  public boolean lookup;
  public Path index;
  public Path embedder;
  public URI labelStudio;
  public String labelStudioKey;
  public Consumer<String> notices = line -> {};
}
