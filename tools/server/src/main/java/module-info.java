/// HTTP: the APIs of OpenAI and Ollama, segmentation, and a page to try it.
module io.gatun.server {
  requires transitive io.gatun.models;
  requires static io.gatun.search; // only where an index is served
  requires java.net.http;
  requires java.xml;
  requires org.eclipse.jetty.server;
  requires org.slf4j;

  exports io.gatun.server;
}
