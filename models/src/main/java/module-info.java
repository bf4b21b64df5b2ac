/// Model architectures, one package each.
module io.gatun.models {
  requires transitive com.fasterxml.jackson.databind;
  requires transitive io.gatun.loaders;

  exports io.gatun.models;
  exports io.gatun.models.llama;
  exports io.gatun.models.nn;
  exports io.gatun.models.text;
}
