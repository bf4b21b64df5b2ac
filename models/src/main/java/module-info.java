/// Model architectures, one package each.
module io.gatun.models {
  requires com.fasterxml.jackson.databind;
  requires transitive io.gatun.loaders;

  exports io.gatun.models.text;
}
