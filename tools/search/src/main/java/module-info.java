/// Documents that are found by words and by meaning, on Lucene.
module io.gatun.search {
  requires transitive io.gatun.models;
  requires org.apache.lucene.core;
  requires org.apache.pdfbox; // automatic, as is what it reads with: they have no descriptors
  requires org.apache.pdfbox.io;
  requires org.jsoup;

  exports io.gatun.search;
}
