/// The command line.
module io.gatun.tools {
  requires info.picocli;
  requires io.gatun.models;
  requires org.slf4j;

  exports io.gatun.tools;

  opens io.gatun.tools to
      info.picocli;
}
