/// The command line.
module io.gatun.tools {
  requires com.fasterxml.jackson.databind;
  requires info.picocli;
  requires io.gatun.models;
  requires jdk.management;
  requires me.tongfei.progressbar;
  requires org.slf4j;

  opens io.gatun.tools to
      info.picocli;
}
