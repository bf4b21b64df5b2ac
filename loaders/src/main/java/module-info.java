/// Checkpoint files as named tensors, mapped in place.
module io.gatun.loaders {
  requires com.fasterxml.jackson.databind;
  requires transitive io.gatun.tensor;
  requires java.net.http;

  exports io.gatun.loaders;
  exports io.gatun.loaders.hub;
}
